import type { TokenCounter } from '../sample.ts';

/** Splits text where byte-level BPE tokenizers of the GPT-2 kind never merge; every digit is a piece of its own. */
const PIECES = /'(?:[stmd]|re|ve|ll)| ?\p{L}+| ?\p{N}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;
/** Maximum number of remembered counts, enough for the words of both prose splits. Before another is added, all are forgotten. */
const MAX_ENTRIES = 400_000;

/**
 * Estimates the tokens of a text as the sum over its words; each word is encoded once and remembered. The sum is exact for most byte-level
 * BPE tokenizers. For others it is off by a ratio that depends on the kind of text.
 */
export class TokenEstimate {
  readonly #tokenizer: TokenCounter;
  readonly #counts = new Map<string, number>();

  constructor(tokenizer: TokenCounter) {
    this.#tokenizer = tokenizer;
  }

  /** Estimated tokens of a text of any length. */
  count(text: string): number {
    let total = 0;
    for (const piece of text.match(PIECES) ?? []) total += this.#remembered(piece, () => this.#inContext(piece));
    return total;
  }

  /** As `count`, remembering the whole text: for sentences that come again. */
  countOften(text: string): number {
    return this.#remembered(text, () => this.count(text));
  }

  /**
   * Tokens that a piece adds when it follows other text. A piece alone may have more, because SentencePiece puts a space before the first
   * word of a text. Letters and digits are counted after a newline, with which they do not merge, and all else after a letter.
   */
  #inContext(piece: string): number {
    const before = /^[\p{L}\p{N}]/u.test(piece) ? '\n' : 'a';
    return Math.max(0, this.#tokenizer.encode(before + piece).length - this.#tokenizer.encode(before).length);
  }

  #remembered(key: string, compute: () => number): number {
    const known = this.#counts.get(key);
    if (known !== undefined) return known;
    if (this.#counts.size >= MAX_ENTRIES) this.#counts.clear();
    const count = compute();
    this.#counts.set(key, count);
    return count;
  }
}
