import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'moabench-build-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Configures the native build with that nvcc on the PATH, and further options. */
function configure(nvcc: string, cuda: 'AUTO' | 'OFF', options: readonly string[] = []) {
  const bin = mkdtempSync(join(folder, 'bin-'));
  writeFileSync(join(bin, 'nvcc'), nvcc);
  chmodSync(join(bin, 'nvcc'), 0o755);
  const build = join(bin, 'build');
  const { status, stderr } = spawnSync('cmake', ['-S', 'native', '-B', build, `-DMOABENCH_CUDA=${cuda}`, ...options], {
    encoding: 'utf8',
    env: { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` },
  });
  return { status, message: stderr.replace(/\s+/g, ' '), bin, build };
}

test('an nvcc that cannot compile fails the configuration, which names the log that says why', () => {
  const { status, message, bin, build } = configure('#!/bin/sh\nexit 1\n', 'AUTO');
  expect(status).toBe(1);
  const log = /failed: (\S+) says why/.exec(message)?.[1] ?? '';
  expect(message).toContain(`Expected ${bin}/nvcc to pass CMake's check of a CUDA compiler but it failed: ${build}/CMakeFiles/`);
  expect(readFileSync(log, 'utf8')).toContain('CMake Error at');
});

test('MOABENCH_CUDA=OFF does not ask it', () => {
  expect(configure('#!/bin/sh\nexit 1\n', 'OFF').status).toBe(0);
});

test.each(['not_there.cc', 'made_up.cc', 'parallel.h'])(
  'an own kernel %s that is not a file with the name of one in native/cpu is refused',
  (name) => {
    const file = join(folder, name);
    if (name !== 'not_there.cc') writeFileSync(file, '');
    const { status, message } = configure('#!/bin/sh\nexit 1\n', 'OFF', [`-DMOABENCH_OWN_KERNELS=${file}`]);
    expect(status).toBe(1);
    expect(message).toContain(
      `Expected a file with the name of one in native/cpu (such as rms_norm.cc) for an own kernel but received ${file}`,
    );
  },
);
