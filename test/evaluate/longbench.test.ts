import { expect, test } from 'vitest';
import { Rng } from '../../src/core/rng.ts';
import { lengthBucket, type ScoredSample, summarizeLongBench } from '../../src/evaluate/longbench.ts';

const rng = new Rng('longbench');
const tasks = [
  { task: 'hotpotqa', category: 'multi-doc-qa', level: 0.4, n: 40 },
  { task: '2wikimqa', category: 'multi-doc-qa', level: 0.2, n: 20 },
  { task: 'trec', category: 'few-shot', level: 0.6, n: 30 },
] as const;
const dense: ScoredSample[] = tasks.flatMap(({ task, category, level, n }) =>
  Array.from({ length: n }, (_, i) => ({
    id: `${task}/${i}`,
    task,
    category,
    cluster: `${task}/${Math.floor(i / 2)}`,
    score: Math.min(1, level + 0.3 * rng.random()),
  })),
);
const sparse = dense.map((sample) => ({ ...sample, score: 0.9 * sample.score }));
const meanOf = (task: string): number => {
  const scores = dense.filter((sample) => sample.task === task).map((sample) => sample.score);
  return scores.reduce((a, b) => a + b, 0) / scores.length;
};

test('tasks weigh the same in their category and overall', () => {
  const summary = summarizeLongBench(dense, { seed: 1, resamples: 500 });
  expect(summary.tasks.map(({ task, samples, score }) => [task, samples, score.n])).toEqual([
    ['hotpotqa', 40, 20],
    ['2wikimqa', 20, 10],
    ['trec', 30, 15],
  ]);
  expect(summary.categories.map(({ category, tasks: names }) => [category, names])).toEqual([
    ['multi-doc-qa', ['hotpotqa', '2wikimqa']],
    ['few-shot', ['trec']],
  ]);
  expect(summary.categories[0]?.score.estimate).toBeCloseTo((meanOf('hotpotqa') + meanOf('2wikimqa')) / 2, 12);
  expect(summary.overall.score.estimate).toBeCloseTo((meanOf('hotpotqa') + meanOf('2wikimqa') + meanOf('trec')) / 3, 12);
  expect(summary.overall.score.low).toBeLessThan(summary.overall.score.estimate);
  expect(summary.overall).not.toHaveProperty('ratio');
});

test('relative to dense: pairing makes a constant ratio certain, in any order of samples', () => {
  const summary = summarizeLongBench([...sparse].reverse(), { seed: 1, resamples: 500, baseline: dense });
  for (const group of [summary.overall, ...summary.categories, ...summary.tasks]) {
    expect(group.ratio?.estimate).toBeCloseTo(0.9, 12);
    expect(group.ratio?.low).toBeCloseTo(0.9, 12);
    expect(group.ratio?.high).toBeCloseTo(0.9, 12);
    expect(group.difference?.high).toBeLessThan(0);
  }
});

test('other samples in the baseline are a typed error', () => {
  const wrong = dense.map((sample, index) => (index === 3 ? { ...sample, id: 'other' } : sample));
  const repeated = [...dense.slice(1), dense[1] as ScoredSample];
  for (const baseline of [wrong, dense.slice(1), repeated]) {
    expect(() => summarizeLongBench(sparse, { seed: 1, baseline })).toThrow(
      expect.objectContaining({ name: 'MoaError', code: 'INVALID_ARGUMENT' }),
    );
  }
  expect(() => summarizeLongBench([], { seed: 1 })).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
});

test("LongBench-E's buckets", () => {
  expect([0, 3999, 4000, 7999, 8000, 1e6].map(lengthBucket)).toEqual(['0-4k', '0-4k', '4-8k', '4-8k', '8k+', '8k+']);
});
