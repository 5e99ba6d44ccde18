import { groupBy } from '../core/group-by.ts';
import type { Interval } from '../core/statistics-proportion.ts';
import { type Pair, type PairedDifference, pairedGraded, pairUp, type ScoredSample } from './paired.ts';
import { meanOfMeans, stratifiedInterval } from './stratified.ts';

export interface TaskSample extends ScoredSample {
  readonly task: string;
  readonly category: string;
}

/** Score of a task, or unweighted mean over the tasks of a group; 0..1, cluster bootstrap within tasks. */
interface TaskScore {
  readonly name: string;
  readonly score: Interval;
  /** Ratio to the baseline's on the same samples, paired bootstrap; null without a baseline, or where it scores too near 0 for a bound. */
  readonly relative: Interval | null;
}

export interface TaskScores {
  readonly tasks: readonly (TaskScore & { readonly category: string })[];
  readonly categories: readonly TaskScore[];
  /** Over all tasks, each with the same weight (LongBench, table 2). */
  readonly mean: TaskScore;
  readonly meanToBaseline: PairedDifference | null;
}

interface Task {
  readonly name: string;
  readonly category: string;
  readonly samples: readonly TaskSample[];
  readonly pairs: readonly Pair[];
}

/** LongBench-style scores per task, per category and overall; `baseline`: the scores of dense attention, matched by sample id. */
export function taskScores(own: readonly TaskSample[], baseline: readonly TaskSample[] | null, seed: string): TaskScores {
  const tasks = [...groupBy(own, (sample) => sample.task)].map(([name, samples]) => ({
    name,
    category: samples[0]?.category ?? '',
    samples,
    pairs: baseline === null ? [] : pairUp(samples, baseline),
  }));
  const perTask = tasks.map((task) => ({ ...groupScore(task.name, [task], seed), category: task.category }));
  const categories = [...groupBy(tasks, (task) => task.category)].map(([name, members]) => {
    // A category of one task is that task: the same numbers, not a second bootstrap.
    const single = members.length === 1 ? perTask.find((task) => task.name === members[0]?.name) : undefined;
    return single === undefined ? groupScore(name, members, seed) : { name, score: single.score, relative: single.relative };
  });
  return {
    tasks: perTask,
    categories,
    mean: groupScore('mean', tasks, seed),
    meanToBaseline: pairedGraded(
      tasks.map((task) => task.pairs),
      seed,
    ),
  };
}

function groupScore(name: string, tasks: readonly Task[], seed: string): TaskScore {
  const score = stratifiedInterval({
    strata: tasks.map((task) => task.samples),
    columns: [(sample) => sample.score],
    statistic: (sums) => meanOfMeans(sums),
    seed,
  });
  return {
    name,
    score,
    relative: relativeScore(
      tasks.map((task) => task.pairs),
      seed,
    ),
  };
}

function relativeScore(strata: readonly (readonly Pair[])[], seed: string): Interval | null {
  if (strata.some((pairs) => pairs.length === 0)) return null;
  const ratio = stratifiedInterval({
    strata,
    columns: [(pair) => pair.own, (pair) => pair.other],
    // A resample in which the baseline scores nothing has no ratio; where such resamples reach the limit there is no bound to report.
    statistic: (sums) => (meanOfMeans(sums, 1) === 0 ? Number.POSITIVE_INFINITY : meanOfMeans(sums, 0) / meanOfMeans(sums, 1)),
    seed,
  });
  return [ratio.estimate, ratio.low, ratio.high].every(Number.isFinite) ? ratio : null;
}
