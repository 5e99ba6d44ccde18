import { groupBy } from '../core/group-by.ts';
import { lossDifference, lossPerToken } from '../evaluate/perplexity.ts';
import { taskScores } from '../evaluate/task-scores.ts';
import type { RecordOf } from '../records/record.ts';
import type { Comparable } from './comparable.ts';
import { toPaired } from './paired.ts';
import type { MethodSummary } from './summary.ts';

type Sample = RecordOf<'sample'>;
type Loss = RecordOf<'loss'>;

export interface ScoresInput<R> {
  readonly own: readonly R[];
  /** The baseline's id and records; null for the baseline itself. */
  readonly baseline: { readonly id: string; readonly samples: readonly R[] } | null;
  readonly comparable: Comparable;
}

/**
 * A method's scores 0..1 for each task, for each category and overall. Categories and the overall mean are over the tasks that all methods have. Each score is
 * also given relative to the baseline. null when the method has no samples.
 */
export function summarizeScores({ own, baseline, comparable }: ScoresInput<Sample>): MethodSummary['scores'] {
  const [first] = own;
  if (first === undefined) return null;
  const { isWhole, isCommon } = comparable;
  const each = taskScores(own.filter(isWhole), baseline?.samples.filter(isWhole) ?? null);
  const partial = taskScores(
    own.filter((sample) => !isWhole(sample)),
    null,
  );
  const common = own.filter((sample) => isCommon(sample) && isWhole(sample));
  const over = common.length === 0 ? null : taskScores(common, baseline?.samples ?? null);
  return {
    length: first.length,
    tasks: [...each.tasks.map((task) => ({ ...task, whole: true })), ...partial.tasks.map((task) => ({ ...task, whole: false }))],
    categories: [...(over?.categories ?? [])],
    mean: over?.mean ?? null,
    meanToBaseline: baseline === null || over === null ? null : toPaired(baseline.id, over.meanToBaseline),
  };
}

/**
 * A method's losses of the answers in nats per token, for each task and overall. The overall loss and its difference from the baseline are over the tasks that all
 * methods have. null when the method has no samples.
 */
export function summarizePerplexity({ own, baseline, comparable }: ScoresInput<Loss>): MethodSummary['perplexity'] {
  const [first] = own;
  if (first === undefined) return null;
  const common = own.filter((loss) => comparable.isCommon(loss) && comparable.isWhole(loss));
  return {
    length: first.length,
    loss: common.length === 0 ? null : lossPerToken(common),
    toBaseline: baseline === null ? null : toPaired(baseline.id, lossDifference(common, baseline.samples)),
    tasks: [...groupBy(own, (loss) => loss.task)].map(([task, losses]) => ({
      task,
      loss: lossPerToken(losses),
      whole: losses.every(comparable.isWhole),
    })),
  };
}
