import { rmSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { loadTables, rootWith } from './doc-scripts.ts';

const { TABLES } = await loadTables();
const roots: string[] = [];
function made(name: string, files: Readonly<Record<string, unknown>>): string {
  const root = rootWith(files);
  roots.push(root);
  const table = TABLES[name];
  if (table === undefined) throw new Error(`Expected a table ${name}`);
  return table(root);
}
afterEach(() => {
  for (const root of roots.splice(0)) rmSync(root, { recursive: true });
});

/** Six rounds around a typical time, with the same noise in every contender: ratios of paired rounds are then exact. */
const noise = [0.98, 0.99, 1, 1, 1.01, 1.02];
const rounds = (ms: number, machine = 1): number[] => noise.map((factor) => ms * machine * factor);

/** A row as earlier releases have it: one a process. */
function kernelsRow(process: number, machine: number) {
  return {
    process,
    section: 'decode',
    name: 'dense B32',
    ours_ms: machine,
    timing: { ms: machine, samples_ms: rounds(1, machine) },
    peers: {
      'A/A': { ms: machine, samples_ms: rounds(1, machine) },
      FA2: { ms: 2 * machine, samples_ms: rounds(2, machine * (1 + 0.01 * process)) },
      cuDNN: { unavailable: 'not installed' },
    },
    rate: 3,
    rate_unit: 'TB/s',
    percent: 90 + process,
  };
}
const kernels = {
  meta: { gpu: 'NVIDIA H100' },
  ceilings: [0, 1, 2].map((process) => ({ process, read: 3.1, copy: 3, gemm: 800 })),
  rows: [kernelsRow(0, 1), kernelsRow(1, 1.1), kernelsRow(2, 0.9)],
};

describe('cuda-kernels', () => {
  test('has a row a case with intervals over processes, the control, and peers that did not run', () => {
    const table = made('cuda-kernels', { 'cuda/2026-11-28-h100/kernels.json': kernels });
    expect(table).toContain('6 rounds in each of 3 processes');
    // Student's t with 2 degrees of freedom over log 0.90, 0.91, 0.92: 0.91 exp(-0.027) to 0.91 exp(0.027).
    const row = table.split('\n').find((line) => line.startsWith('| dense B32'));
    expect(row).toMatch(/\| 1\.00 ms \| 3\.00 TB\/s \| 91% \[89%, 94%\] \| FA2 2\.02x \[1\.97, 2\.07\]; cuDNN: did not run \| 0\.0% \|$/);
  });

  test('says which record was left out for want of raw samples, and fails when all were', () => {
    const old = { meta: { gpu: 'NVIDIA H200' }, ceilings: { read: 4.7, copy: 4.2, gemm: 800 }, rows: [] };
    expect(made('cuda-kernels', { 'cuda/2026-11-28-h100/kernels.json': kernels, 'cuda/2026-11-24-h200/kernels.json': old })).toMatch(
      /Left out, for its record has no raw samples: `reports\/cuda\/2026-11-24-h200\/kernels\.json`/,
    );
    expect(() => made('cuda-kernels', { 'cuda/2026-11-24-h200/kernels.json': old })).toThrow(
      /raw samples of several processes .* in reports\/cuda\/2026-11-24-h200\/kernels\.json/,
    );
  });
});

describe('records of `moabench bench`', () => {
  const estimate = (value: number) => ({ estimate: value, low: value - 0.01, high: value + 0.01 });
  const processes = [0, 1].map((process) => ({ process, mode: 'events', hostUs: 5, samplesMs: rounds(1) }));
  const record = {
    version: 1,
    kind: 'kernels',
    peer: { device: { name: 'NVIDIA H100' } },
    ceilings: [0, 1].flatMap((process) => [
      { process, ceiling: 'read', best: 3.1, unit: 'TB/s' },
      { process, ceiling: 'copy', best: 3, unit: 'TB/s' },
      { process, ceiling: 'gemm', best: 801, unit: 'TFLOP/s' },
    ]),
    cases: [
      {
        section: 'decode',
        name: 'dense B32',
        time: estimate(1.383),
        rate: { value: 3.1, unit: 'TB/s' },
        share: estimate(0.9),
        arms: [
          { id: 'ours', ratio: null, processes },
          { id: 'A/A', ratio: estimate(1.001), processes },
          { id: 'FLASH', ratio: estimate(1.14), processes },
          { id: 'cuDNN', ratio: null, processes: [], unavailable: 'not installed' },
        ],
      },
      { section: 'sweep', name: 'd128', time: estimate(1), rate: null, share: null, arms: [{ id: 'ours', ratio: null, processes: [] }] },
    ],
  };

  test('kernels: a row a case, with the intervals that the record has; the sweep is not in the table', () => {
    const table = made('cuda-kernels', { 'cuda/2026-11-29-h100/kernels.json': record });
    expect(table).toContain(
      '6 rounds in each of 2 processes. Ceilings by process: 3.10 TB/s read, 3.00 TB/s copy, 801 TFLOP/s; 3.10 TB/s read',
    );
    expect(table).toContain('| dense B32 | 1.38 ms | 3.10 TB/s | 90% [89%, 91%] | FLASH 1.14x [1.13, 1.15]; cuDNN: did not run | 0.1% |');
    expect(table).not.toContain('d128');
  });

  test('whole steps: rounds of all processes; contenders that did not fit are left out', () => {
    const row = {
      id: 'dense',
      graph: 'on',
      batch: 12,
      reason: null,
      stepMs: [rounds(22), rounds(22)],
      tokensPerSecond: 544,
      rooflineShare: 0.97,
    };
    const none = { ...row, id: 'moa', reason: 'no memory', stepMs: [], tokensPerSecond: 0, rooflineShare: 0 };
    const steps = { kind: 'whole-step', model: 'dummy:vicuna-7b', tokens: 8192, dtype: 'bf16', rows: [row, none] };
    const table = made('cuda-steps', { 'cuda/2026-11-29-h100/whole-step.json': steps });
    expect(table).toContain('| H100 | dense, graph on | 12 | 22.00 ms | 2 x 6 | 544 | 97% |');
    expect(table).not.toContain('moa');
  });

  test('profiling: the ratio of the record', () => {
    const row = {
      tokens: 8192,
      prefillMs: [rounds(100), rounds(100)],
      profileMs: [rounds(300), rounds(300)],
      ratio: estimate(3),
      peakBytes: 8192 * 2 ** 20,
    };
    const table = made('cuda-profiling', { 'cuda/2026-11-29-h100/profile-vs-prefill.json': { kind: 'profile-vs-prefill', rows: [row] } });
    expect(table).toContain('| H100 | 8192 | 100 ms | 300 ms | 3.00x [2.99, 3.01] | 2 x 6 | 1.0 MiB |');
  });
});

describe('versus-pytorch', () => {
  test('leaves the first round out, and divides their time by ours', () => {
    const warm = (ms: number): number[] => [100 * ms, ...rounds(ms)];
    const samples = {
      'prefill pytorch': warm(30),
      'decode pytorch': warm(8),
      'prefill ours f32': warm(20),
      'decode ours f32': warm(4),
      'prefill ours bf16': warm(15),
      'decode ours bf16': warm(2),
    };
    const peer = { torch: '2.0', transformers: '5.0' };
    const record = { samples, peer, tokens: 4096, newTokens: 32, threads: 2, backend: 'cpu', sameTokens: false };
    const table = made('versus-pytorch', { 'bench/2026-11-28/versus-pytorch.json': record });
    expect(table).toContain('| prefill, f32 cache | 20 ms | 30 ms | 1.50x [1.50, 1.50] | 6 |');
    expect(table).toContain('| decode, bf16 cache | 2 ms | 8 ms | 4.00x [4.00, 4.00] | 6 |');
    expect(table).toContain('The greedy tokens differ.');
  });
});

describe('cpu-kernels', () => {
  const result = (id: string, gigabytesPerSecond: number) => ({
    id,
    samplesMs: rounds(1),
    medianMs: 1,
    gigabytesPerSecond,
    gigaflopsPerSecond: 0,
  });
  const shape = { batch: 4, heads: 8, kvHeads: 8, headDim: 32, tokens: 4096, kvDType: 'bf16' };
  const record = {
    backend: 'cpu',
    shape,
    evictedMiB: 256,
    results: [result('read ceiling', 10), result('decode dense', 9)],
    ratios: [{ name: 'decode: uniform 50% / dense', estimate: 0.5, low: null, high: null }],
  };

  test('sets rates against the ceiling of the same record', () => {
    const table = made('cpu-kernels', { 'bench/2026-11-28/kernels-4k.json': record });
    expect(table).toContain('| decode dense | 1.00 ms | 9.0 GB/s | – | 90% |');
    expect(table).toContain('- decode: uniform 50% / dense: 0.50x');
  });

  test('refuses a record whose kernels started from warm caches', () => {
    const { evictedMiB: _, ...warm } = record;
    expect(() => made('cpu-kernels', { 'bench/2026-11-28/kernels-4k.json': warm })).toThrow(
      /a cold start of every timing \(evictedMiB\) in reports\/bench\/2026-11-28\/kernels-4k\.json/,
    );
  });
});

describe('cuda-parity', () => {
  test('gives the largest relative difference of a loss, and influence by length', () => {
    const influence = {
      samples: [{ loss: [0.2, 0.2] }, { loss: [1.154e-6, 1e-6] }],
      lengths: [{ length: 1024, joint: 0.006 }],
    };
    const rows = [{ dtype: 'bf16', samples: 96, equal: 95, ties: 1, influence }];
    const table = made('cuda-parity', { 'cuda/2026-11-28-h100/parity.json': { rows } });
    expect(table).toContain('| H100 | bf16 | 95 of 96 (1 of the others a tie) | 15.4% | 0.6% at 1024 |');
  });
});
