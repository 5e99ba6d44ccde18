/** Tokens per block. Spans, sinks and cache capacities are whole blocks on every backend (kBlockTokens in native/include/moa/ring.h). */
export const BLOCK_TOKENS = 64;
/** Tokens at the start that are never evicted, unless a plan says otherwise: one block, as in the released method (docs/method.md, sinks). */
export const DEFAULT_SINK_TOKENS = 1 * BLOCK_TOKENS;

/** A length rounded up to whole blocks. */
export function ceilToBlock(tokens: number): number {
  return Math.ceil(tokens / BLOCK_TOKENS) * BLOCK_TOKENS;
}
