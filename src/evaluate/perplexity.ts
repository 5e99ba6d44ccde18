import { groupBy } from '../core/group-by.ts';
import type { Interval } from '../core/statistics-proportion.ts';
import { stratifiedInterval } from './stratified.ts';

/** The loss of one sample's answer. */
export interface AnswerLoss {
  readonly sampleId: string;
  readonly task: string;
  readonly cluster: string;
  readonly answerTokens: number;
  /** Nats, summed over the answer's tokens. */
  readonly sumLoss: number;
}

/** Perplexity of answers: exp of the mean loss per answer token, so long answers weigh more. Cluster bootstrap within tasks; one loss at least. */
export function perplexity(losses: readonly AnswerLoss[], seed: string): Interval {
  return stratifiedInterval({
    strata: [...groupBy(losses, (loss) => loss.task).values()],
    columns: [(loss) => loss.sumLoss, (loss) => loss.answerTokens],
    statistic: (sums) => Math.exp(total(sums, 0) / total(sums, 1)),
    seed,
  });
}

/** Ratio of two methods' perplexities on the same samples: exp of the mean difference of losses per answer token. null when none is shared. */
export function relativePerplexity(own: readonly AnswerLoss[], baseline: readonly AnswerLoss[], seed: string): Interval | null {
  const others = new Map(baseline.map((loss) => [loss.sampleId, loss.sumLoss]));
  const differences = own.flatMap((loss) => {
    const other = others.get(loss.sampleId);
    return other === undefined ? [] : [{ ...loss, sumLoss: loss.sumLoss - other }];
  });
  return differences.length === 0 ? null : perplexity(differences, seed);
}

function total(sums: readonly Float64Array[], column: number): number {
  return sums.reduce((sum, stratum) => sum + (stratum[column] as number), 0);
}
