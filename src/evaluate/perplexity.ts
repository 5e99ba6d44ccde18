import { groupBy } from '../core/group-by.ts';
import { type Estimated, studentInterval, studentTest } from '../core/statistics/strata.ts';
import type { PairedDifference } from './paired.ts';
import { FEWEST_FOR_LOSSES, meanOverStrata } from './stratified.ts';

/** The loss of one sample's answer. */
export interface AnswerLoss {
  readonly sampleId: string;
  readonly task: string;
  readonly cluster: string;
  readonly answerTokens: number;
  /** Nats, summed over the answer's tokens. */
  readonly sumLoss: number;
}

/**
 * Nats per answer token: within a task every token weighs the same, and every task weighs the same, so that one task of long answers is not
 * the whole result. Its exponential is the perplexity. There must be at least one loss.
 */
export function lossPerToken(losses: readonly AnswerLoss[]): Estimated {
  return studentInterval(meanLoss(losses), FEWEST_FOR_LOSSES);
}

/**
 * Own minus the baseline's nats per answer token on the same samples; its exponential is the ratio of perplexities. `lost`: samples with a
 * larger loss. null when no sample is shared.
 */
export function lossDifference(own: readonly AnswerLoss[], baseline: readonly AnswerLoss[]): PairedDifference | null {
  const others = new Map(baseline.map((loss) => [loss.sampleId, loss.sumLoss]));
  const differences = own.flatMap((loss) => {
    const other = others.get(loss.sampleId);
    return other === undefined ? [] : [{ ...loss, sumLoss: loss.sumLoss - other }];
  });
  if (differences.length === 0) return null;
  const mean = meanLoss(differences);
  return {
    delta: studentInterval(mean, FEWEST_FOR_LOSSES),
    test: 'stratified-t',
    p: studentTest(mean, FEWEST_FOR_LOSSES),
    lost: differences.filter(({ sumLoss }) => sumLoss > 0).length,
    gained: differences.filter(({ sumLoss }) => sumLoss < 0).length,
  };
}

function meanLoss(losses: readonly AnswerLoss[]) {
  return meanOverStrata(
    [...groupBy(losses, (loss) => loss.task).values()],
    (loss) => loss.sumLoss,
    (loss) => loss.answerTokens,
  );
}
