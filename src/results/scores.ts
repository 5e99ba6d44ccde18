import { groupBy } from '../core/group-by.ts';
import { perplexity, relativePerplexity } from '../evaluate/perplexity.ts';
import { taskScores } from '../evaluate/task-scores.ts';
import { toPaired } from './paired.ts';
import type { RecordOf } from './record.ts';
import type { MethodSummary } from './summary.ts';

type Sample = RecordOf<'sample'>;
type Loss = RecordOf<'loss'>;

/** Scores per task and category and their unweighted mean, each also relative to the baseline on the same samples. null without samples. */
export function summarizeScores(
  own: readonly Sample[],
  baseline: { readonly id: string; readonly samples: readonly Sample[] } | null,
  seed: string,
): MethodSummary['scores'] {
  const [first] = own;
  if (first === undefined) return null;
  const { tasks, categories, mean, meanToBaseline } = taskScores(own, baseline?.samples ?? null, seed);
  return {
    length: first.length,
    tasks: [...tasks],
    categories: [...categories],
    mean,
    meanToBaseline: baseline === null ? null : toPaired(baseline.id, meanToBaseline),
  };
}

/** Perplexity of the answers over all samples and by task; relative to the baseline on the same samples. null without samples. */
export function summarizePerplexity(own: readonly Loss[], baseline: readonly Loss[] | null, seed: string): MethodSummary['perplexity'] {
  const [first] = own;
  if (first === undefined) return null;
  return {
    length: first.length,
    perplexity: perplexity(own, seed),
    relative: baseline === null ? null : relativePerplexity(own, baseline, seed),
    tasks: [...groupBy(own, (loss) => loss.task)].map(([task, losses]) => ({ task, perplexity: perplexity(losses, seed) })),
  };
}
