import type { TokenCounter } from '../sample.ts';

/** Pieces that byte-level BPE tokenizers of the GPT-2 kind never merge across; digits alone. */
const PIECES = /'(?:[stmd]|re|ve|ll)| ?\p{L}+| ?\p{N}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;
/** Enough for the words of both prose splits; past it the memory starts again from nothing. */
const MAX_ENTRIES = 400_000;

/** How many prompts of a kind are checked by encoding them whole before sums are trusted, and how often after. */
const CHECKED_FIRST = 6;
const CHECKED_EVERY = 32;

/** Token counts of text as the sum over its words, each encoded once and remembered: exact for most byte-level BPE tokenizers, near for others. */
export class TokenEstimate {
  readonly #tokenizer: TokenCounter;
  readonly #counts = new Map<string, number>();
  readonly #trust = new Map<string, { checked: number; seen: number; wrong: boolean }>();

  constructor(tokenizer: TokenCounter) {
    this.#tokenizer = tokenizer;
  }

  /** Estimated tokens of a text of any length. */
  count(text: string): number {
    let total = 0;
    for (const piece of text.match(PIECES) ?? []) total += this.#remembered(piece, () => this.#tokenizer.encode(piece).length);
    return total;
  }

  /**
   * Exact tokens of a prompt around `user`. Prompts of a `kind` are encoded whole until the sum over words has been right for the first ones; then the sum
   * is taken and every 32nd prompt checked, because encoding is most of the cost of a sample. One wrong sum, and the kind is always encoded.
   */
  countPrompt({ kind, prompt, user }: { kind: string; prompt: string; user: string }): number {
    const trust = this.#trust.get(kind) ?? { checked: 0, seen: 0, wrong: false };
    this.#trust.set(kind, trust);
    const frame = prompt.replace(user, () => '');
    const summed = this.#remembered(frame, () => this.#tokenizer.encode(frame).length) + this.count(user);
    if (!trust.wrong && trust.checked >= CHECKED_FIRST && trust.seen++ % CHECKED_EVERY !== 0) return summed;
    const exact = this.#tokenizer.encode(prompt).length;
    trust.checked++;
    trust.wrong ||= exact !== summed;
    return exact;
  }

  /** As `count`, remembering the whole text: for sentences that come again. */
  countOften(text: string): number {
    return this.#remembered(text, () => this.count(text));
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
