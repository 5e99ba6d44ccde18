import { splitSpaces, wholeWord } from './python-text.ts';

const PUNCTUATION = /[!-/:-@[-`{-~]/g;
const ARTICLE = wholeWord('an|a|the');

export interface NormalizeOptions {
  /** The MoA fork's variant: every "</s>" becomes a space before anything else. */
  readonly endTokenAsSpace?: boolean;
}

/** LongBench's answer normalisation: lower case, no ASCII punctuation, no English articles, single spaces. The tokens that are left. */
function normalizedTokens(text: string, { endTokenAsSpace = false }: NormalizeOptions = {}): string[] {
  const source = endTokenAsSpace ? text.replaceAll('</s>', ' ') : text;
  return splitSpaces(source.toLowerCase().replace(PUNCTUATION, '').replace(ARTICLE, ' '));
}

/** Token-level F1 of a prediction and one reference, 0..1 (LongBench `qa_f1_score`). Both empty scores 0. */
export function tokenF1(prediction: string, reference: string, options: NormalizeOptions = {}): number {
  return wordF1(normalizedTokens(prediction, options), normalizedTokens(reference, options));
}

/** F1 of two bags of words, 0..1; 0 where they share none. */
export function wordF1(predicted: readonly string[], expected: readonly string[]): number {
  const left = new Map<string, number>();
  for (const token of expected) left.set(token, (left.get(token) ?? 0) + 1);
  let shared = 0;
  for (const token of predicted) {
    const count = left.get(token) ?? 0;
    if (count === 0) continue;
    left.set(token, count - 1);
    shared++;
  }
  if (shared === 0) return 0;
  const precision = shared / predicted.length;
  const recall = shared / expected.length;
  return (2 * precision * recall) / (precision + recall);
}
