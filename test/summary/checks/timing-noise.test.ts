import { describe, expect, it } from 'vitest';
import { Rng } from '../../../src/core/rng.ts';
import type { RecordOf } from '../../../src/records/record.ts';
import type { CheckInput } from '../../../src/summary/checks/check.ts';
import { timingControl, timingDrift } from '../../../src/summary/checks/timing-noise.ts';

interface Machine {
  readonly conditions: number;
  readonly processes: number;
  readonly rounds: number;
  /** Deviations of log time between processes and between timings. */
  readonly between: number;
  readonly within: number;
  /** How much slower the last round of a process is than the first. */
  readonly drift?: number;
  /** Time of the control over that of its twin. */
  readonly bias?: number;
}

/** What a run with two methods and the control records on such a machine. */
function records(rng: Rng, machine: Machine): RecordOf<'measurement'>[] {
  const { conditions, processes, rounds, between, within, drift = 0, bias = 1 } = machine;
  const arms = [
    { method: 'dense', control: false, ms: 10 },
    { method: 'dense', control: true, ms: 10 * bias },
    { method: 'moa', control: false, ms: 6 },
  ];
  return Array.from({ length: conditions }, (_, c) =>
    Array.from({ length: processes }, (_, process) =>
      arms.map(({ method, control, ms }): RecordOf<'measurement'> => {
        const own = between * rng.normal();
        return {
          kind: 'measurement',
          time: '2025-03-01T12:00:00.000Z',
          cell: `cafe${c}${method}${control}`,
          method,
          stretch: 'aa',
          measure: 'decode',
          cache: method === 'dense' ? 'full' : 'ring',
          length: 1024 * (c + 1),
          batch: 1,
          newTokens: 32,
          process,
          control,
          samplesMs: Array.from(
            { length: rounds },
            (_, r) => ms * (1 + (drift * r) / Math.max(1, rounds - 1)) * Math.exp(own + within * rng.normal()),
          ),
          kvBytes: { planned: 1, resident: 1 },
          peakBytes: null,
          rssBytes: null,
        };
      }),
    ),
  ).flat(2);
}

function input(measurements: readonly RecordOf<'measurement'>[]): CheckInput {
  return { selection: { measurements }, summary: { baseline: 'dense' }, environment: null } as unknown as CheckInput;
}

/** Share of runs on such a machine whose check ends so. */
function share(check: typeof timingControl, machine: Machine, status: string): number {
  const rng = new Rng(JSON.stringify(machine));
  const runs = 100;
  let hits = 0;
  for (let run = 0; run < runs; run++) if (check(input(records(rng, machine))).status === status) hits++;
  return hits / runs;
}

/** The largest of the suites: eight conditions, three processes of six rounds, on a machine whose processes differ by a percent. */
const SUITE: Machine = { conditions: 8, processes: 3, rounds: 6, between: 0.005, within: 0.02 };

describe('the control', () => {
  it('raises a false alarm in at most 5% of runs', () => {
    expect(share(timingControl, SUITE, 'failed')).toBeLessThanOrEqual(0.05);
    expect(share(timingControl, { ...SUITE, processes: 1, rounds: 10, conditions: 2, between: 0 }, 'failed')).toBeLessThanOrEqual(0.05);
  });

  it('does not pass a machine that cannot tell equal programs apart, nor one that treats them unequally', () => {
    expect(share(timingControl, { ...SUITE, between: 0.15 }, 'passed')).toBe(0);
    expect(share(timingControl, { ...SUITE, conditions: 1, bias: 1.2 }, 'passed')).toBe(0);
    // At the bound itself equivalence may be claimed in 5% of runs, and 2 in 100 more by chance of this simulation.
    expect(share(timingControl, { ...SUITE, conditions: 1, bias: 1.1 }, 'passed')).toBeLessThanOrEqual(0.07);
    // Within the bound, but a difference all the same.
    expect(share(timingControl, { ...SUITE, conditions: 1, processes: 5, bias: 1.06 }, 'passed')).toBeLessThanOrEqual(0.05);
  });

  it('says so where an interval merely holds 1', () => {
    const [first, ...rest] = records(new Rng('wide'), { conditions: 1, processes: 1, rounds: 6, between: 0, within: 0.4 });
    const check = timingControl(input([first as RecordOf<'measurement'>, ...rest]));
    expect(check).toMatchObject({
      id: 'timing-control',
      status: 'failed',
      message: expect.stringContaining('not shown to be equal within 10%'),
    });
  });

  it('is untested below six rounds, and without a control', () => {
    const few = records(new Rng('few'), { ...SUITE, processes: 1, rounds: 5 });
    expect(timingControl(input(few)).status).toBe('untested');
    const without = records(new Rng('without'), SUITE).filter((m) => !m.control);
    expect(timingControl(input(without)).status).toBe('untested');
    expect(timingControl(input([])).status).toBe('untested');
  });

  it('names the worst ratio', () => {
    expect(timingControl(input(records(new Rng('named'), SUITE))).message).toMatch(
      /^dense timed against itself: [\d.]+x \[[\d.]+, [\d.]+\] at worst, within 10% in each of 8 conditions\.$/,
    );
  });
});

describe('drift', () => {
  it('is seen in at most 5% of runs on a steady machine', () => {
    expect(share(timingDrift, SUITE, 'failed')).toBeLessThanOrEqual(0.05);
    expect(share(timingDrift, { ...SUITE, conditions: 2, rounds: 4 }, 'failed')).toBeLessThanOrEqual(0.05);
  });

  it('is seen where the machine slows down steadily, which odd and even rounds never show', () => {
    expect(share(timingDrift, { ...SUITE, drift: 0.1 }, 'failed')).toBeGreaterThan(0.95);
    expect(share(timingDrift, { ...SUITE, drift: 0.05 }, 'failed')).toBeGreaterThan(0.8);
    const drifting = timingDrift(input(records(new Rng('up'), { ...SUITE, drift: 0.2 })));
    expect(drifting).toMatchObject({
      id: 'timing-drift',
      severity: 'warning',
      message: expect.stringMatching(/slower by (19|2\d|1[5-9])% .*8 of 8/),
    });
  });

  it('of a harmless size passes, however certain', () => {
    expect(share(timingDrift, { ...SUITE, within: 0.001, drift: 0.01 }, 'passed')).toBe(1);
  });

  it('is untested where too few rounds could not show any', () => {
    expect(timingDrift(input(records(new Rng('few'), { ...SUITE, processes: 1, rounds: 4 }))).status).toBe('untested');
    expect(timingDrift(input(records(new Rng('one'), { ...SUITE, rounds: 1 }))).status).toBe('untested');
    expect(timingDrift(input([])).status).toBe('untested');
  });
});
