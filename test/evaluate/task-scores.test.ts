import { expect, test } from 'vitest';
import { Rng } from '../../src/core/rng.ts';
import { mean } from '../../src/core/statistics/descriptive.ts';
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
  const scores = taskScores(dense, null);
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

test('a ratio is of the same samples, in any order; without a spread it has no interval', () => {
  const scores = taskScores(sparse.toReversed(), dense);
  for (const { relative } of [scores.mean, ...scores.categories, ...scores.tasks])
    expect(relative).toMatchObject({ estimate: expect.closeTo(0.9, 12), low: null, high: null });
  expect(scores.meanToBaseline).toMatchObject({ test: 'stratified-t', lost: 90, gained: 0 });
  expect(scores.meanToBaseline?.delta.high).toBeLessThan(0);
  expect(scores.meanToBaseline?.p).toBeLessThan(0.001);
});

test('pairing makes a ratio more certain than its two means are', () => {
  const noisy = sparse.map((sample, i) => ({ ...sample, score: sample.score * (1 + 0.02 * (Math.floor(i / 2) % 3)) }));
  const { relative, score } = taskScores(noisy, dense).mean;
  expect(relative?.low).toBeGreaterThan(0.9);
  expect(relative?.high).toBeLessThan(0.94);
  expect((relative?.high ?? 1) - (relative?.low ?? 0)).toBeLessThan(((score.high ?? 0) - (score.low ?? 1)) / score.estimate);
});

test('only samples that both answered are compared', () => {
  const scores = taskScores(
    sparse,
    dense.filter((sample) => sample.task !== 'trec'),
  );
  expect(scores.tasks.map(({ relative }) => relative?.n ?? null)).toEqual([40, 20, null]);
  expect(scores.mean.relative).toBeNull();
  expect(scores.meanToBaseline?.delta.n).toBe(60);
});

test('there is no ratio to a baseline that scores nothing, and no interval to one that nearly does', () => {
  const baseline = (right: number) => dense.map((sample, i) => ({ ...sample, score: i < right ? 1 : 0 }));
  expect(taskScores(sparse, baseline(0)).tasks[0]?.relative).toBeNull();
  expect(taskScores(sparse, baseline(2)).tasks[0]?.relative).toMatchObject({ low: null, high: null });
  const most = taskScores(sparse, baseline(30)).tasks[0]?.relative;
  expect(most?.high).toBeGreaterThan(most?.estimate ?? Number.NaN);
});

test('five documents a task are points, six have an interval', () => {
  const of = (documents: number) =>
    taskScores(
      dense.filter((_, i) => i < 2 * documents),
      null,
    ).mean.score;
  expect(of(5)).toMatchObject({ low: null, high: null, n: 10 });
  expect(of(6).low).toBeLessThan(of(6).estimate);
});
