import { Rng } from '../core/rng.ts';
import { generateSamples } from '../data/generate.ts';
import { promptIds } from '../data/sample.ts';
import { userTurn } from '../model/format/template/chat-template.ts';
import type { LanguageModel } from '../model/inference/language-model.ts';

/** The least number of tokens for which a line-retrieval prompt can be made. */
const SHORTEST_TEXT = 256;

/**
 * Exactly `length` token ids. They are a line-retrieval prompt as quality cells use it, with the model's chat template and BOS, cut to size. For a model
 * without a tokenizer, and for short lengths, they are random tokens.
 */
export function timingPrompt(model: LanguageModel, { length, seed }: { readonly length: number; readonly seed: string }): Int32Array {
  if (model.hasTokenizer && length >= SHORTEST_TEXT) {
    const targetTokens = Math.ceil(length * 1.04) + 64;
    const { tokenizer } = model;
    const wrapping = model.chatTemplate === null ? {} : { wrapUser: userTurn(model) };
    const [sample] = generateSamples({ task: 'lines', targetTokens, count: 1, seed, tokenizer, split: 'eval', ...wrapping });
    const tokens = Int32Array.from(promptIds(tokenizer, sample?.prompt ?? ''));
    if (tokens.length >= length) return tokens.subarray(0, length);
  }
  const rng = new Rng(seed);
  return Int32Array.from({ length }, () => rng.int(3, model.config.vocabSize - 1));
}
