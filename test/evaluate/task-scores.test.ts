import { expect, test } from 'vitest';
import { Rng } from '../../src/core/rng.ts';
import { mean } from '../../src/core/statistics.ts';
import { type TaskSample, taskScores } from '../../src/evaluate/task-scores.ts';

const rng = new Rng('task-scores');
const tasks = [
  { task: 'hotpotqa', category: 'multi-doc-qa', level: 0.4, n: 40 },
  { task: '2wikimqa', category: 'multi-doc-qa', level: 0.2, n: 20 },
  { task: 'trec', category: 'few-shot', level: 0.6, n: 30 },
];
const dense: TaskSample[] = tasks.flatMap(({ task, category, level, n }) =>
  Array.from({ length: n }, (_, i) => ({
    sampleId: `${task}/${i}`,
    task,
    category,
    cluster: `${task}/${Math.floor(i / 2)}`,
    score: Math.min(1, level + 0.3 * rng.random()),
  })),
);
const sparse = dense.map((sample) => ({ ...sample, score: 0.9 * sample.score }));
const meanOf = (task: string): number => mean(dense.filter((sample) => sample.task === task).map(({ score }) => score));

test('tasks weigh the same in their category and overall', () => {
  const scores = taskScores(dense, null, 'seed');
  expect(scores.tasks.map(({ name, category, score }) => [name, category, score.n])).toEqual([
    ['hotpotqa', 'multi-doc-qa', 40],
    ['2wikimqa', 'multi-doc-qa', 20],
    ['trec', 'few-shot', 30],
  ]);
  expect(scores.categories.map(({ name, score }) => [name, score.n])).toEqual([
    ['multi-doc-qa', 60],
    ['few-shot', 30],
  ]);
  expect(scores.categories[0]?.score.estimate).toBeCloseTo((meanOf('hotpotqa') + meanOf('2wikimqa')) / 2, 12);
  expect(scores.categories[1]?.score).toEqual(scores.tasks[2]?.score);
  expect(scores.mean.score.estimate).toBeCloseTo((meanOf('hotpotqa') + meanOf('2wikimqa') + meanOf('trec')) / 3, 12);
  expect(scores.mean.score.low).toBeLessThan(scores.mean.score.estimate);
  expect(scores).toMatchObject({ mean: { relative: null }, meanToBaseline: null });
});

test('relative to dense: pairing makes a constant ratio certain, in any order of samples', () => {
  const scores = taskScores(sparse.toReversed(), dense, 'seed');
  for (const { relative } of [scores.mean, ...scores.categories, ...scores.tasks]) {
    expect(relative?.estimate).toBeCloseTo(0.9, 12);
    expect(relative?.low).toBeCloseTo(0.9, 12);
    expect(relative?.high).toBeCloseTo(0.9, 12);
  }
  expect(scores.meanToBaseline).toMatchObject({ test: 'sign-flip', lost: 90, gained: 0 });
  expect(scores.meanToBaseline?.delta.high).toBeLessThan(0);
  expect(scores.meanToBaseline?.p).toBeLessThan(0.001);
});

test('only samples that both answered are compared', () => {
  const scores = taskScores(
    sparse,
    dense.filter((sample) => sample.task !== 'trec'),
    'seed',
  );
  expect(scores.tasks.map(({ relative }) => relative?.n ?? null)).toEqual([40, 20, null]);
  expect(scores.mean.relative).toBeNull();
  expect(scores.meanToBaseline?.delta.n).toBe(60);
});

test('a baseline that scores nothing, or nearly so, bounds no ratio', () => {
  const baseline = (right: number) => dense.map((sample, i) => ({ ...sample, score: i < right ? 1 : 0 }));
  for (const right of [0, 1]) expect(taskScores(sparse, baseline(right), 'seed').tasks[0]?.relative).toBeNull();
  const most = taskScores(sparse, baseline(30), 'seed').tasks[0]?.relative;
  expect(most?.high).toBeGreaterThan(most?.estimate ?? Number.NaN);
});
