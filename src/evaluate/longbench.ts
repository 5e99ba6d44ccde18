import { invalidArgument } from '../core/errors.ts';
import { mean } from '../core/statistics.ts';
import { type BootstrapOptions, bootstrapSums, clusterColumns, type Stratum } from '../core/statistics-bootstrap.ts';
import type { Interval } from '../core/statistics-proportion.ts';
import { CATEGORIES, type Category } from '../data/sample.ts';
import { roundToCents } from './metrics/python-text.ts';

/** One scored sample, as the summary needs it. */
export interface ScoredSample {
  readonly id: string;
  readonly task: string;
  readonly category: Category;
  readonly cluster: string;
  /** 0..1. */
  readonly score: number;
}

/** Mean scores of a group of tasks; 0..1. Relative values only where a baseline was given. */
interface GroupScore {
  /** Mean over the group's tasks of each task's mean, bootstrap over clusters within tasks; `n` counts clusters. */
  readonly score: Interval;
  /** Group mean divided by the baseline's; samples are paired. */
  readonly ratio?: Interval;
  /** Group mean minus the baseline's; samples are paired. */
  readonly difference?: Interval;
  readonly samples: number;
}

export interface LongBenchSummary {
  readonly tasks: readonly (GroupScore & { readonly task: string; readonly category: Category })[];
  readonly categories: readonly (GroupScore & { readonly category: Category; readonly tasks: readonly string[] })[];
  /** Over all tasks, each with the same weight (LongBench, table 2). */
  readonly overall: GroupScore;
}

export interface SummaryOptions extends BootstrapOptions {
  /** Scores of dense attention on the same samples; matched by id. */
  readonly baseline?: readonly ScoredSample[];
}

/** Per task, per category and overall scores with intervals. Throws INVALID_ARGUMENT for no or repeated samples, or where the baseline has other ids. */
export function summarizeLongBench(scored: readonly ScoredSample[], options: SummaryOptions): LongBenchSummary {
  if (scored.length === 0) throw invalidArgument('at least one scored sample', 'summarizeLongBench', scored);
  const baseline = options.baseline === undefined ? undefined : alignedScores(scored, options.baseline);
  const groups = groupByTask(scored, baseline);
  const summarize = (tasks: readonly TaskGroup[]): GroupScore => groupScore(tasks, baseline !== undefined, options);
  return {
    tasks: groups.map((group) => ({ task: group.task, category: group.category, ...summarize([group]) })),
    categories: CATEGORIES.flatMap((category) => {
      const members = groups.filter((group) => group.category === category);
      return members.length === 0 ? [] : [{ category, tasks: members.map((group) => group.task), ...summarize(members) }];
    }),
    overall: summarize(groups),
  };
}

interface TaskGroup {
  readonly task: string;
  readonly category: Category;
  /** Columns per cluster: scores, baseline scores (zeros without one), sizes. */
  readonly stratum: Stratum;
  readonly samples: number;
}

function groupByTask(scored: readonly ScoredSample[], baseline: readonly number[] | undefined): TaskGroup[] {
  const rows = new Map<string, number[]>();
  for (const [index, { task }] of scored.entries()) {
    const indices = rows.get(task);
    if (indices === undefined) rows.set(task, [index]);
    else indices.push(index);
  }
  return [...rows].map(([task, indices]) => {
    const members = indices.map((index) => scored[index] as ScoredSample);
    const scores = members.map((sample) => sample.score);
    const reference = indices.map((index) => baseline?.[index] ?? 0);
    const clusters = members.map((sample) => sample.cluster);
    return {
      task,
      category: (members[0] as ScoredSample).category,
      stratum: clusterColumns([scores, reference], clusters),
      samples: members.length,
    };
  });
}

function groupScore(tasks: readonly TaskGroup[], paired: boolean, options: BootstrapOptions): GroupScore {
  const strata = tasks.map((task) => task.stratum);
  const macro = (sums: readonly Float64Array[], column: number): number =>
    mean(sums.map((task) => (task[column] as number) / (task[2] as number)));
  const score = bootstrapSums(strata, (sums) => macro(sums, 0), options);
  const samples = tasks.reduce((total, task) => total + task.samples, 0);
  if (!paired) return { score, samples };
  return {
    score,
    ratio: bootstrapSums(strata, (sums) => macro(sums, 0) / macro(sums, 1), options),
    difference: bootstrapSums(strata, (sums) => macro(sums, 0) - macro(sums, 1), options),
    samples,
  };
}

/** The baseline's scores in the order of `scored`. */
function alignedScores(scored: readonly ScoredSample[], baseline: readonly ScoredSample[]): number[] {
  const scores = new Map(baseline.map((sample) => [sample.id, sample.score]));
  const ids = new Set(scored.map((sample) => sample.id));
  if (scores.size !== baseline.length || ids.size !== scored.length || scores.size !== ids.size) {
    throw invalidArgument('the same distinct samples', 'method and baseline', [ids.size, scores.size], 'Score both on the same samples.');
  }
  return scored.map(({ id }) => {
    const score = scores.get(id);
    if (score === undefined) throw invalidArgument(`sample ${id}`, 'the baseline', 'none', 'Score both on the same samples.');
    return score;
  });
}

/** LongBench's `scorer`: mean score x 100, rounded to two decimals. */
export function longBenchScore(scores: readonly number[]): number {
  return roundToCents(100 * mean(scores));
}

/** LongBench-E's `scorer_e`: as `longBenchScore` per bucket of the dataset's `length` field; null for an empty bucket (official: NaN). */
export function longBenchScoreByLength(scores: readonly number[], lengths: readonly number[]): Record<LengthBucket, number | null> {
  const buckets: Record<LengthBucket, number[]> = { '0-4k': [], '4-8k': [], '8k+': [] };
  for (const [index, score] of scores.entries()) buckets[lengthBucket(lengths[index] as number)].push(score);
  const bucketScore = (list: readonly number[]): number | null => (list.length === 0 ? null : longBenchScore(list));
  return { '0-4k': bucketScore(buckets['0-4k']), '4-8k': bucketScore(buckets['4-8k']), '8k+': bucketScore(buckets['8k+']) };
}

export type LengthBucket = '0-4k' | '4-8k' | '8k+';

/** LongBench-E's bucket of a `length` (words). */
export function lengthBucket(length: number): LengthBucket {
  if (length < 4000) return '0-4k';
  return length < 8000 ? '4-8k' : '8k+';
}
