import { expect, test } from 'vitest';
import { doctorText } from '../../src/cli/commands/doctor.ts';

const machine = {
  node: 'v20.19.0',
  memory: { totalBytes: 8 * 2 ** 30, freeBytes: 2 ** 30 },
  tfjs: { flavour: 'tfjs-cpu', version: '4.22.0', reason: 'the other is not installed' },
} as const;
const cpu = { name: 'cpu', available: true, description: 'cpu: 2 threads, AVX-512' } as const;

test('a missing backend says why, and what to do on the next line', () => {
  const cuda = { name: 'cuda', available: false, reason: 'Expected a driver but there is none', hint: 'Install it.' } as const;
  expect(
    doctorText({ ...machine, backends: [cpu, cuda] })
      .split('\n')
      .slice(2, 5),
  ).toEqual([
    'cpu       yes  cpu: 2 threads, AVX-512',
    'cuda      no   Expected a driver but there is none',
    '               hint: Install it.',
  ]);
});

test('the reference says which TensorFlow.js it is, why, and what would give more', () => {
  const tfjs = {
    flavour: 'tfjs-node-gpu',
    version: '4.22.0',
    reason: 'it is installed, and runs on the CPU',
    hint: 'Add CUDA 12.',
  } as const;
  expect(doctorText({ ...machine, backends: [cpu], tfjs })).toMatch(
    /\ntfjs {6}yes {2}tfjs-node-gpu 4\.22\.0: it is installed, and runs on the CPU\n {15}hint: Add CUDA 12\.\n$/,
  );
});

test('a GPU that works has its device, driver and library on its line, and no hint', () => {
  const cuda = { name: 'cuda', available: true, description: 'cuda: NVIDIA H100, driver 13.0, cuBLASLt 13.0.2' } as const;
  const text = doctorText({ ...machine, backends: [cpu, cuda] });
  expect(text).toContain('cuda      yes  cuda: NVIDIA H100, driver 13.0, cuBLASLt 13.0.2\n');
  expect(text).not.toContain('hint');
});
