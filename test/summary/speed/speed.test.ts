import { describe, expect, it } from 'vitest';
import { Rng } from '../../../src/core/rng.ts';
import type { RecordOf } from '../../../src/records/record.ts';
import { summarizeSpeedContrasts } from '../../../src/summary/speed/contrasts.ts';
import { summarizeSpeed } from '../../../src/summary/speed/speed.ts';
import { timedArms } from '../../../src/summary/speed/timed-arms.ts';
import { speedSentences } from '../../../src/summary/speed/verdicts.ts';
import type { MethodSummary } from '../../../src/summary/summary.ts';

type Measurement = RecordOf<'measurement'>;

const at = (method: string, process: number, samplesMs: number[], more: Partial<Measurement> = {}): Measurement => ({
  kind: 'measurement',
  time: '2025-03-01T12:00:00.000Z',
  cell: 'cafecafe',
  method,
  stretch: 'aa',
  measure: 'decode',
  cache: method === 'dense' ? 'full' : 'ring',
  length: 4096,
  batch: 2,
  newTokens: 32,
  process,
  control: false,
  samplesMs,
  kvBytes: { planned: 100, resident: 100 },
  peakBytes: 7,
  rssBytes: null,
  ...more,
});

/** Processes x rounds of each method at its time, with half a percent between processes. */
function measured(times: Readonly<Record<string, number>>, { processes = 3, rounds = 6 } = {}): Measurement[] {
  const rng = new Rng('speed');
  return Object.entries(times).flatMap(([method, ms]) =>
    Array.from({ length: processes }, (_, process) => {
      const own = ms * (1 + 0.005 * rng.normal());
      return at(
        method,
        process,
        Array.from({ length: rounds }, () => own * (1 + 0.01 * rng.normal())),
        { kvBytes: { planned: method === 'dense' ? 200 : 100, resident: method === 'dense' ? 200 : 100 } },
      );
    }),
  );
}

const method = (id: string, unfit: MethodSummary['unfit'] = []): MethodSummary =>
  ({ id, label: id.toUpperCase(), unfit }) as unknown as MethodSummary;

function sentencesOn(measurements: readonly Measurement[], of: string): string[] {
  const methods = [...new Set(measurements.map((m) => m.method))].map((id) => method(id));
  const speedContrasts = summarizeSpeedContrasts(timedArms(measurements), 'dense');
  return speedSentences(methods.find(({ id }) => id === of) as MethodSummary, { methods, speedContrasts });
}

describe('summarizeSpeed', () => {
  it('gives one typical time, and everything else is made of it', () => {
    const arms = timedArms([
      at('dense', 0, [20, 21, 40]),
      at('dense', 1, [22, 22, 22]),
      at('moa', 0, [10, 10, 10]),
      at('moa', 1, [11, 11, 44]),
    ]);
    const [moa] = summarizeSpeed(arms, { method: 'moa', baseline: 'dense', measure: 'decode' });
    const [dense] = summarizeSpeed(arms, { method: 'dense', baseline: 'dense', measure: 'decode' });
    expect(dense?.speedup).toBeNull();
    expect(moa).toMatchObject({ lowerQuartileMs: 10, medianMs: 10.5, latencyMs: { processes: 2, rounds: 6 } });
    expect(moa?.tokensPerSecond.estimate).toBeCloseTo(64_000 / (moa?.latencyMs.estimate ?? 0), 9);
    expect(moa?.speedup?.estimate).toBeCloseTo((moa?.tokensPerSecond.estimate ?? 0) / (dense?.tokensPerSecond.estimate ?? 1), 9);
    expect(moa?.tokensPerSecond.low).toBeCloseTo(64_000 / (moa?.latencyMs.high ?? 0), 9);
  });

  it('leaves the control out of the methods, and processes that timed only one side out of ratios', () => {
    const arms = timedArms([at('dense', 0, [2, 2]), at('dense', 0, [9, 9], { control: true }), at('moa', 0, [1, 1]), at('moa', 1, [5, 5])]);
    expect(summarizeSpeed(arms, { method: 'dense', baseline: 'dense', measure: 'decode' })).toHaveLength(1);
    const [moa] = summarizeSpeed(arms, { method: 'moa', baseline: 'dense', measure: 'decode' });
    expect(moa?.speedup).toMatchObject({ estimate: 2, processes: 1, rounds: 2 });
  });

  it('one round has no interval', () => {
    const [speed] = summarizeSpeed(timedArms([at('dense', 0, [1.23]), at('moa', 0, [1])]), {
      method: 'moa',
      baseline: 'dense',
      measure: 'decode',
    });
    expect(speed?.speedup).toEqual({ estimate: expect.closeTo(1.23, 12), low: null, high: null, processes: 1, rounds: 1 });
  });
});

describe('contrasts of speed', () => {
  it('are of every method with the baseline, and of methods of equal memory with each other, in one family a measure', () => {
    const measurements = [
      ...measured({ dense: 20, uniform: 11, moa: 10 }),
      ...measured({ dense: 99, uniform: 99, moa: 99 }).map((m) => ({ ...m, length: 1024 })),
      ...measured({ dense: 50, small: 30 }).map((m) => ({
        ...m,
        measure: 'prefill' as const,
        kvBytes: { planned: 1, resident: m.method === 'small' ? 20 : 100 },
      })),
      ...measured({ dense: 60 }).map((m) => ({ ...m, cache: 'dynamic' as const })),
    ];
    const contrasts = summarizeSpeedContrasts(timedArms(measurements), 'dense');
    expect(contrasts.map((c) => [c.measure, c.length, c.method, c.other, c.family])).toEqual([
      ['decode', 4096, 'uniform', 'dense', 3],
      ['decode', 4096, 'moa', 'dense', 3],
      ['decode', 4096, 'moa', 'uniform', 3],
      ['prefill', 4096, 'small', 'dense', 1],
    ]);
    for (const { p, pHolm, family } of contrasts) {
      expect(pHolm).toBeGreaterThanOrEqual(p ?? 1);
      expect(pHolm).toBeLessThanOrEqual(Math.min(1, family * (p ?? 1)) + 1e-15);
    }
    const ratio = (own: string, other: string): number =>
      contrasts.find((c) => c.measure === 'decode' && c.method === own && c.other === other)?.ratio.estimate ?? 0;
    expect(ratio('moa', 'uniform')).toBeCloseTo(ratio('moa', 'dense') / ratio('uniform', 'dense'), 12);
  });

  it('count in their family those that have rounds enough for a test, which the p-values are adjusted over', () => {
    const few = [at('dense', 3, [20, 20]), at('short', 3, [15, 15], { kvBytes: { planned: 50, resident: 50 } })];
    const contrasts = summarizeSpeedContrasts(timedArms([...measured({ dense: 20, uniform: 11, moa: 10 }), ...few]), 'dense');
    expect(contrasts.map((c) => [c.method, c.other, c.pHolm === null, c.family])).toEqual([
      ['uniform', 'dense', false, 3],
      ['moa', 'dense', false, 3],
      ['short', 'dense', true, 3],
      ['moa', 'uniform', false, 3],
    ]);
  });

  it('stand also where the baseline does not fit', () => {
    const contrasts = summarizeSpeedContrasts(timedArms(measured({ uniform: 11, moa: 10 })), 'dense');
    expect(contrasts).toMatchObject([{ method: 'moa', other: 'uniform', family: 1 }]);
  });
});

describe('sentences on speed', () => {
  it('state differences with processes, rounds and the family', () => {
    const sentences = sentencesOn(measured({ dense: 20, uniform: 12, moa: 10 }), 'moa');
    expect(sentences).toEqual([
      expect.stringMatching(
        /^Decoding at 4,096 tokens of context, batch 2, MOA is faster: 2\.0\dx \[1\.9\d, 2\.0\d\] the tokens per second of DENSE \(18 rounds in 3 processes, Holm-adjusted p < 0\.001 among 3 comparisons\)\.$/,
      ),
      expect.stringContaining('MOA is faster: 1.2'),
    ]);
  });

  it('call nothing a difference that may be chance', () => {
    expect(sentencesOn(measured({ dense: 10, moa: 10 }), 'moa')).toEqual([
      expect.stringMatching(
        /MOA and DENSE cannot be told apart in speed: [\d.]+x \[0\.9\d, 1\.0\d\] \(18 rounds in 3 processes, p = 0\.\d+\)\.$/,
      ),
    ]);
  });

  it('say nothing below six rounds, whatever the times', () => {
    expect(sentencesOn([at('dense', 0, [1.23]), at('moa', 0, [1])], 'moa')).toEqual([]);
    expect(sentencesOn(measured({ dense: 20, moa: 10 }, { processes: 1, rounds: 5 }), 'moa')).toEqual([]);
    expect(sentencesOn(measured({ dense: 20, moa: 10 }, { processes: 1, rounds: 6 }), 'moa')).toEqual([
      expect.stringContaining('6 rounds in one process, another may differ, p = 0.03'),
    ]);
  });

  it('say what does not fit', () => {
    const unfit = [{ measure: 'decode', cache: 'dynamic', length: 4096, batch: 30, reason: 'memory' }] as const;
    expect(speedSentences(method('dense', [...unfit]), { methods: [], speedContrasts: [] })).toEqual([
      'Decoding at 4,096 tokens of context, batch 30, DENSE with a growing cache does not fit into memory.',
    ]);
  });
});
