import { groupBy } from '../core/group-by.ts';
import { boundedInterval, type Estimated, fiellerInterval } from '../core/statistics/strata.ts';
import { type Pair, type PairedDifference, pairedGraded, pairUp, type ScoredSample } from './paired.ts';
import { FEWEST_FOR_SCORES, meanOverStrata } from './stratified.ts';

export interface TaskSample extends ScoredSample {
  readonly task: string;
  readonly category: string;
}

/** Score of a task, or unweighted mean over the tasks of a group; 0..1. */
interface TaskScore {
  readonly name: string;
  readonly score: Estimated;
  /** Ratio to the baseline's on the same samples (Fieller); null without a baseline, or where that scores 0. */
  readonly relative: Estimated | null;
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
export function taskScores(own: readonly TaskSample[], baseline: readonly TaskSample[] | null): TaskScores {
  const tasks = [...groupBy(own, (sample) => sample.task)].map(([name, samples]) => ({
    name,
    category: samples[0]?.category ?? '',
    samples,
    pairs: baseline === null ? [] : pairUp(samples, baseline),
  }));
  return {
    tasks: tasks.map((task) => ({ ...groupScore(task.name, [task]), category: task.category })),
    categories: [...groupBy(tasks, (task) => task.category)].map(([name, members]) => groupScore(name, members)),
    mean: groupScore('mean', tasks),
    meanToBaseline: pairedGraded(tasks.map((task) => task.pairs)),
  };
}

function groupScore(name: string, tasks: readonly Task[]): TaskScore {
  const mean = meanOverStrata(
    tasks.map((task) => task.samples),
    (sample) => sample.score,
  );
  return { name, score: boundedInterval(mean, FEWEST_FOR_SCORES), relative: relativeScore(tasks.map((task) => task.pairs)) };
}

function relativeScore(strata: readonly (readonly Pair[])[]): Estimated | null {
  if (strata.some((pairs) => pairs.length === 0)) return null;
  const of = (side: 'own' | 'other') => meanOverStrata(strata, (pair) => pair[side]);
  return fiellerInterval(of('own'), of('other'), FEWEST_FOR_SCORES);
}
