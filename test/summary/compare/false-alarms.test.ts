import { expect, test } from 'vitest';
import { Rng } from '../../../src/core/rng.ts';
import type { RunRecord } from '../../../src/records/record.ts';
import type { Suite } from '../../../src/suite/schema.ts';
import { compareRuns } from '../../../src/summary/compare/compare.ts';
import type { Verdict } from '../../../src/summary/compare/rules.ts';
import { sideInput, smallSuite } from './two-runs.ts';

/**
 * Whole comparisons of made-up runs of three methods, with noise in everything that is measured: what share exits with a regression when there is none, and
 * when there is one. Answers flip as those of another kernel do, in both directions; processes of a run differ by as much as on a quiet machine.
 */
interface Noise {
  /** Share of answers that change, in each run. */
  readonly flips: number;
  /** Standard deviations of log time between processes, and between rounds of one. */
  readonly processes: number;
  readonly rounds: number;
  /** Standard deviation of log time that a whole run has of its own; no process shows it. */
  readonly run?: number;
}
const full = smallSuite();
/** Two lengths, six tasks, losses; three methods. */
const scored: Suite = {
  ...full,
  efficiency: undefined,
  quality: { ...full.quality, retrieval: full.quality?.retrieval && { ...full.quality.retrieval, lengths: [1024, 2048] } },
};
/** Three conditions, three processes of three or four rounds each. */
const timed: Suite = {
  ...full,
  quality: undefined,
  efficiency: {
    caches: [],
    processes: 3,
    prefill: { lengths: [4096], rounds: 3 },
    decode: { lengths: [4096, 8192], batch: [1], newTokens: 32, segmentMs: 200, rounds: 4 },
  },
};
const NOISE: Noise = { flips: 0.02, processes: 0.01, rounds: 0.01 };

interface Change {
  /** Factor on the decode times of one method. */
  readonly slower?: number;
  /** Share of right answers in retrieval that one method loses. */
  readonly lost?: number;
}

/** A run's records with noise of its own. */
function noisy(rng: Rng, { flips, processes, rounds, run = 0 }: Noise, { slower = 1, lost = 0 }: Change = {}) {
  const ofRun = run * rng.normal();
  return (record: RunRecord): RunRecord => {
    const isChanged = 'method' in record && record.method === 'moa-50';
    if (record.kind === 'sample') {
      const flipped = rng.random() < flips;
      const score =
        record.part === 'retrieval'
          ? flipped
            ? 1 - record.score
            : record.score
          : clamped(record.score + (flipped ? 0.3 : 0.01) * rng.normal());
      const kept = isChanged && record.part === 'retrieval' && rng.random() < lost ? 0 : score;
      return {
        ...record,
        score: kept,
        correct: record.part === 'retrieval' ? kept === 1 : null,
        output: `${record.output} ${rng.random()}`,
      };
    }
    if (record.kind === 'loss') return { ...record, sumLoss: record.sumLoss * (1 + 0.01 * rng.normal()) };
    if (record.kind !== 'measurement') return record;
    // The centre of the condition without the noise that the made-up run has.
    const centre = record.length * record.batch * (isChanged && record.measure === 'decode' ? slower : 1);
    const own = ofRun + processes * rng.normal();
    return { ...record, samplesMs: record.samplesMs.map(() => centre * Math.exp(own + rounds * rng.normal())) };
  };
}

function clamped(score: number): number {
  return Math.min(1, Math.max(0, score));
}

const fiveProcesses: Suite = { ...timed, efficiency: timed.efficiency && { ...timed.efficiency, processes: 5 } };
// Made once, before any test.
for (const suite of [scored, timed, fiveProcesses]) sideInput('base', { suite });

/** Comparisons of timings, and, which take longer, of scores: seconds for all. */
const STUDIES = { timed: 60, scored: 30 };

function verdicts(name: string, suite: Suite, noise: Noise, change: Change = {}): Verdict[] {
  const rng = new Rng(`compare/${name}`);
  const studies = suite === scored ? STUDIES.scored : STUDIES.timed;
  return Array.from({ length: studies }, () => {
    const base = sideInput('base', { suite, edit: noisy(rng, noise) });
    return compareRuns({ base, head: sideInput('head', { suite, edit: noisy(rng, noise, change) }) }).verdict;
  });
}

const shareOf = (all: readonly Verdict[], verdict: Verdict): number => all.filter((one) => one === verdict).length / all.length;

test.each([
  ['two answers of a hundred flip', scored, NOISE],
  ['one answer of ten flips', scored, { ...NOISE, flips: 0.1 }],
  ['a quiet machine', timed, NOISE],
  ['a noisy machine', timed, { ...NOISE, processes: 0.05, rounds: 0.05 }],
  ['a machine of which each run has 1% of its own', timed, { ...NOISE, run: 0.01 }],
] as const)('two equal runs exit with a regression in at most 5% of comparisons: %s', (name, suite, noise) => {
  expect(shareOf(verdicts(name, suite, noise), 'worse')).toBeLessThanOrEqual(0.05);
});

test('equal runs of five processes on a quiet machine are mostly shown to be as fast as each other', () => {
  expect(shareOf(verdicts('same', fiveProcesses, NOISE), 'same')).toBeGreaterThanOrEqual(0.9);
});

test('decoding of one method that is 10% slower is found in 95% of comparisons on a quiet machine', () => {
  expect(shareOf(verdicts('slower', timed, NOISE, { slower: 1.1 }), 'worse')).toBeGreaterThanOrEqual(0.95);
});

test('half of the right answers of one method, lost, are found in 95% of comparisons', () => {
  expect(shareOf(verdicts('lost', scored, NOISE, { lost: 0.5 }), 'worse')).toBeGreaterThanOrEqual(0.95);
});
