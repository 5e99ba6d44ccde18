import { bootstrapSums, clusterColumns, type SumStatistic } from '../core/statistics-bootstrap.ts';
import { meanOfMeans, type Pair, pairedGraded, pairUp, RESAMPLES } from './paired.ts';
import type { RecordOf } from './record.ts';
import { groupBy } from './selection.ts';
import type { Estimate, MethodSummary } from './summary.ts';

type Sample = RecordOf<'sample'>;
type Loss = RecordOf<'loss'>;
type Scores = NonNullable<MethodSummary['scores']>;
type Score = Scores['mean'];
type Perplexity = NonNullable<MethodSummary['perplexity']>;

/** Scores per task and category and their unweighted mean, each also relative to the baseline on the same samples. null without samples. */
export function summarizeScores(
  own: readonly Sample[],
  baseline: { id: string; samples: readonly Sample[] } | null,
  seed: string,
): Scores | null {
  const [first] = own;
  if (first === undefined) return null;
  const tasks = [...groupBy(own, (sample) => sample.task).values()].map((samples) => ({
    name: samples[0]?.task ?? '',
    category: samples[0]?.category ?? '',
    samples,
    pairs: baseline === null ? [] : pairUp(samples, baseline.samples),
  }));
  const score = (name: string, members: typeof tasks): Score => ({
    name,
    score: meanScore(
      members.map((task) => task.samples),
      seed,
    ),
    relative:
      baseline === null
        ? null
        : relativeScore(
            members.map((task) => task.pairs),
            seed,
          ),
  });
  const perTask = tasks.map((task) => ({ ...score(task.name, [task]), category: task.category }));
  // A category of one task is that task: the same numbers, not a second bootstrap.
  const category = (name: string, members: typeof tasks): Score => {
    const single = members.length === 1 ? perTask.find((task) => task.name === members[0]?.name) : undefined;
    return single === undefined ? score(name, members) : { name, score: single.score, relative: single.relative };
  };
  return {
    length: first.length,
    tasks: perTask,
    categories: [...groupBy(tasks, (task) => task.category)].map(([name, members]) => category(name, members)),
    mean: score('mean', tasks),
    meanToBaseline:
      baseline === null
        ? null
        : pairedGraded(
            baseline.id,
            tasks.map((task) => task.pairs),
            seed,
          ),
  };
}

function meanScore(strata: readonly (readonly Sample[])[], seed: string): Estimate {
  const columns = strata.map((samples) =>
    clusterColumns(
      [samples.map((sample) => sample.score)],
      samples.map((sample) => sample.cluster),
    ),
  );
  return { ...bootstrapSums(columns, meanOfMeans, { seed, resamples: RESAMPLES }), n: strata.flat().length };
}

/** Ratio of the means over tasks of the task means. null when nothing is paired or the other's mean is 0 (in a resample: NaN-free by a floor). */
function relativeScore(strata: readonly (readonly Pair[])[], seed: string): Estimate | null {
  if (strata.some((pairs) => pairs.length === 0)) return null;
  const columns = strata.map((pairs) =>
    clusterColumns(
      [pairs.map((pair) => pair.own), pairs.map((pair) => pair.other)],
      pairs.map((pair) => pair.cluster),
    ),
  );
  if (strata.every((pairs) => pairs.every((pair) => pair.other === 0))) return null;
  const ratio: SumStatistic = (sums) => {
    let own = 0;
    let other = 0;
    for (const stratum of sums) {
      own += (stratum[0] as number) / (stratum[2] as number);
      other += (stratum[1] as number) / (stratum[2] as number);
    }
    return other === 0 ? 1 : own / other;
  };
  return { ...bootstrapSums(columns, ratio, { seed, resamples: RESAMPLES }), n: strata.flat().length };
}

/** Perplexity of the answers: exp of the mean loss per answer token over all samples; relative to the baseline on the same samples. */
export function summarizePerplexity(own: readonly Loss[], baseline: readonly Loss[] | null, seed: string): Perplexity | null {
  const [first] = own;
  if (first === undefined) return null;
  return {
    length: first.length,
    perplexity: perplexityOf(own, seed),
    relative: baseline === null ? null : relativePerplexity(own, baseline, seed),
    tasks: [...groupBy(own, (loss) => loss.task)].map(([task, losses]) => ({ task, perplexity: perplexityOf(losses, seed) })),
  };
}

function perplexityOf(losses: readonly Loss[], seed: string): Estimate {
  const strata = [...groupBy(losses, (loss) => loss.task).values()].map((members) =>
    clusterColumns(
      [members.map((loss) => loss.sumLoss), members.map((loss) => loss.answerTokens)],
      members.map((loss) => loss.cluster),
    ),
  );
  const statistic: SumStatistic = (sums) => Math.exp(total(sums, 0) / total(sums, 1));
  return { ...bootstrapSums(strata, statistic, { seed, resamples: RESAMPLES }), n: losses.length };
}

function relativePerplexity(own: readonly Loss[], baseline: readonly Loss[], seed: string): Estimate | null {
  const byId = new Map(baseline.map((loss) => [loss.sampleId, loss]));
  const pairs = own.flatMap((loss) => {
    const other = byId.get(loss.sampleId);
    return other === undefined ? [] : [{ loss, difference: loss.sumLoss - other.sumLoss }];
  });
  if (pairs.length === 0) return null;
  const strata = [...groupBy(pairs, (pair) => pair.loss.task).values()].map((members) =>
    clusterColumns(
      [members.map((pair) => pair.difference), members.map((pair) => pair.loss.answerTokens)],
      members.map((pair) => pair.loss.cluster),
    ),
  );
  const statistic: SumStatistic = (sums) => Math.exp(total(sums, 0) / total(sums, 1));
  return { ...bootstrapSums(strata, statistic, { seed, resamples: RESAMPLES }), n: pairs.length };
}

function total(sums: readonly Float64Array[], column: number): number {
  return sums.reduce((sum, stratum) => sum + (stratum[column] as number), 0);
}
