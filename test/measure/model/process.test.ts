import { describe, expect, test } from 'vitest';
import { inProcesses } from '../../../src/measure/model/process.ts';
import { opTimesSchema, profileSchema } from '../../../src/measure/model/protocol.ts';
import { opTimesText, profileReport, profileText } from '../../../src/measure/model/report.ts';

const backend = { name: 'cpu', threads: 1 } as const;
const still = (): AbortSignal => new AbortController().signal;

describe('measuring processes', () => {
  test('measure profiling against prefill; ratios are over processes', async () => {
    const stages = new Set<string>();
    const found = await inProcesses({
      request: { model: 'dummy:tiny', backend, work: { kind: 'profile-vs-prefill', lengths: [128], rounds: 2 } },
      schema: profileSchema,
      processes: 1,
      signal: still(),
      onProgress: ({ stage }) => stages.add(stage),
    });
    expect(found).toMatchObject([
      { device: expect.stringMatching(/^cpu: 1 thread/), timer: 'stream thread clock', dtype: 'f32', substitutions: [] },
    ]);
    expect([...stages]).toEqual(['profile-vs-prefill']);
    const report = profileReport([...found, ...found]);
    expect(report.rows).toMatchObject([{ tokens: 128, ratio: { processes: 2, rounds: 4 } }]);
    expect(report.rows[0]?.profileMs.map((rounds) => rounds.length)).toEqual([2, 2]);
    expect(report.rows[0]?.peakBytes).toBeGreaterThan(0);
    expect(profileText(report)).toMatch(/^128 tokens: prefill .* ms, profile .* ms, .* MiB more/);
  });

  test('time every op of a prefill, a profiling sample and a step by its name', async () => {
    const [only] = await inProcesses({
      request: { model: 'dummy:tiny', backend, work: { kind: 'op-times', tokens: 128 } },
      schema: opTimesSchema,
      processes: 1,
      signal: still(),
      onProgress: () => {},
    });
    const parts = only?.result.parts ?? [];
    expect(parts.map(({ id }) => id)).toEqual(['prefill', 'profile', 'decode step, batch 1']);
    const calls = (part: number): Record<string, number> => Object.fromEntries(parts[part]?.ops.map(({ op, calls }) => [op, calls]) ?? []);
    // Two layers: attention of each once; the decode step reads one row through tiny's projections.
    expect(calls(0)).toMatchObject({ attentionPrefill: 2, embedding: 1 });
    expect(calls(1)).toMatchObject({ influence: 2, attentionBackward: 1 }); // no gradient is needed below the first layer's influence
    expect(calls(2)).toMatchObject({ attentionDecode: 2, argmax: 1, 'gemm 1x256x64': 1 });
    expect(opTimesText({ parts })).toContain('attentionDecode');
  });

  test('say why they cannot measure', async () => {
    const asked = inProcesses({
      request: { model: 'no/such/model', backend, work: { kind: 'op-times', tokens: 128 } },
      schema: opTimesSchema,
      processes: 3,
      signal: still(),
      onProgress: () => {},
    });
    await expect(asked).rejects.toMatchObject({ name: 'MoaError', code: 'NOT_FOUND', message: expect.stringContaining('no/such/model') });
  });
});
