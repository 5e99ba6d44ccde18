import { MoaError } from '../../core/errors.ts';
import { promptIds, promptLength, type TokenCounter } from '../sample.ts';

/** What a reader needs to know of the model that its prompts are for. */
export interface PromptModel {
  readonly tokenizer: TokenCounter & { decode(ids: ArrayLike<number>): string };
  /** Puts a user's text into the model's conversation format, up to where the answer begins. */
  readonly wrapUser: (user: string) => string;
}

/** Tokens of a prompt that must not be longer than `targetTokens`. Throws INVALID_FILE naming `where`. */
export function countedPrompt(prompt: string, { tokenizer }: PromptModel, limit: { targetTokens: number; where: string }): number {
  const tokens = promptLength(tokenizer, prompt);
  if (tokens > limit.targetTokens) {
    throw new MoaError(`Expected a prompt of at most ${limit.targetTokens} tokens for ${limit.where} but received ${tokens}`, {
      code: 'INVALID_FILE',
      hint: 'Choose a greater length for this file in the suite.',
    });
  }
  return tokens;
}

/**
 * The text within `maxTokens`: unchanged if it fits, else its first and last floor(maxTokens / 2) tokens (LongBench, pred.py). The
 * tokenizer's own BOS counts as the first token, and decoding leaves it out. The decoded text may encode to a few more tokens at the seam;
 * then it is cut further until it fits.
 */
export function truncateMiddle(text: string, maxTokens: number, tokenizer: PromptModel['tokenizer']): string {
  const ids = Array.from(promptIds(tokenizer, text));
  if (ids.length <= maxTokens) return text;
  for (let half = Math.floor(maxTokens / 2); half > 0; half--) {
    const cut = tokenizer.decode(ids.slice(0, half)) + tokenizer.decode(ids.slice(-half));
    if (promptLength(tokenizer, cut) <= maxTokens) return cut;
  }
  return '';
}
