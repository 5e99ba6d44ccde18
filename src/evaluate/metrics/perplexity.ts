import { invalidArgument } from '../../core/errors.ts';

/** Perplexity of answers. */
export interface Perplexity {
  /** exp of the mean loss over all answer tokens. */
  readonly perplexity: number;
  /** Mean loss, nats per answer token: long answers weigh more. */
  readonly meanNats: number;
  readonly tokens: number;
  readonly samples: number;
}

/** Token-weighted perplexity of the answers of several samples; `losses[sample][token]` in nats. Throws INVALID_ARGUMENT without tokens or for a loss that is not a finite number. */
export function answerPerplexity(losses: readonly ArrayLike<number>[]): Perplexity {
  let total = 0;
  let tokens = 0;
  for (const sample of losses) {
    for (let i = 0; i < sample.length; i++) {
      const loss = sample[i] as number;
      if (!Number.isFinite(loss)) throw invalidArgument('finite losses', 'answerPerplexity', loss);
      total += loss;
    }
    tokens += sample.length;
  }
  if (tokens === 0) throw invalidArgument('at least one answer token', 'answerPerplexity', 0);
  return { perplexity: Math.exp(total / tokens), meanNats: total / tokens, tokens, samples: losses.length };
}
