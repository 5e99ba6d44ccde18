import { Rng } from '../core/rng.ts';
import { generateSamples } from '../data/generate.ts';
import type { LanguageModel } from '../model/inference/language-model.ts';

/** Exactly `length` tokens: a line-retrieval prompt cut to size, or random tokens for a model without a tokenizer. */
export function timingPrompt(model: LanguageModel, { length, seed }: { readonly length: number; readonly seed: string }): Int32Array {
  if (model.hasTokenizer && length >= 256) {
    const [sample] = generateSamples({
      task: 'lines',
      targetTokens: Math.ceil(length * 1.04) + 64,
      count: 1,
      seed,
      tokenizer: model.tokenizer,
      split: 'eval',
    });
    const tokens = model.tokenizer.encode(sample?.prompt ?? '');
    if (tokens.length >= length) return tokens.slice(0, length);
  }
  const rng = new Rng(seed);
  return Int32Array.from({ length }, () => rng.int(3, model.config.vocabSize - 1));
}
