import { invalidArgument } from '../core/errors.ts';
import type { Rule } from './rule.ts';
import type { Plan } from './schema.ts';

/** Tokens of a block: spans, sinks and ring capacities are whole blocks. */
export const BLOCK_TOKENS = 64;
/** The smallest span of the released runtime: one sink block and one window block. */
export const MIN_SPAN_TOKENS = 128;

/** A length rounded up to whole blocks. */
export function ceilToBlock(tokens: number): number {
  return Math.ceil(tokens / BLOCK_TOKENS) * BLOCK_TOKENS;
}

/**
 * Slots (sink + window) that a rule gives a head at N = `tokens`: alpha + beta * N truncated, clamped to [smallest span, N] and rounded up
 * to whole blocks as the released runtime does (moa-method 1.2), but never more than the sequence itself needs.
 * @throws INVALID_ARGUMENT when `tokens` is not a positive integer.
 */
export function spanOfRule(rule: Rule, tokens: number, sink: number = BLOCK_TOKENS): number {
  checkLength(tokens);
  const least = Math.max(MIN_SPAN_TOKENS, sink + BLOCK_TOKENS);
  const span = Math.max(Math.min(Math.trunc(rule.alpha + rule.beta * tokens), tokens), least);
  return Math.min(ceilToBlock(span), ceilToBlock(tokens));
}

/**
 * Slots of every KV head at N = `tokens` (prompt + reserve), [layers * kvHeads]; multiples of 64. `ownTokens`: what the sequence can come to
 * hold; a span has no more blocks than that, however large the reserve. Default: N.
 */
export function spansAt(plan: Plan, tokens: number, ownTokens: number = tokens): Int32Array {
  checkLength(tokens);
  checkLength(ownTokens);
  const { layers, kvHeads } = plan.model;
  const spans = new Int32Array(layers * kvHeads);
  for (let layer = 0; layer < layers; layer++) {
    for (let head = 0; head < kvHeads; head++) {
      spans[layer * kvHeads + head] = Math.min(spanOfRule(ruleAt(plan, layer, head), tokens, plan.sink), ceilToBlock(ownTokens));
    }
  }
  return spans;
}

/** The rule of one KV head. */
export function ruleAt(plan: Plan, layer: number, head: number): Rule {
  const alpha = plan.rules.alpha[layer]?.[head];
  const beta = plan.rules.beta[layer]?.[head];
  if (alpha === undefined || beta === undefined) {
    const { layers, kvHeads } = plan.model;
    throw invalidArgument(`a layer below ${layers} and a head below ${kvHeads}`, 'ruleAt', [layer, head]);
  }
  return { alpha, beta };
}

/** Share of the dense KV slots (N rounded up to blocks) that the plan keeps at N = `tokens`, in (0, 1]; 1 for dense. */
export function densityAt(plan: Plan, tokens: number): number {
  const { layers, kvHeads } = plan.model;
  return sum(spansAt(plan, tokens)) / (layers * kvHeads * ceilToBlock(tokens));
}

/** Bytes of keys and values that the plan's spans imply for one sequence at N = `tokens`. */
export function kvBytesAt(plan: Plan, tokens: number, headDim: number, bytesPerElement: number): number {
  return bytesOfSpans(spansAt(plan, tokens), headDim, bytesPerElement);
}

/** Bytes of keys and values in the slots of one sequence's heads. */
export function bytesOfSpans(spans: Int32Array, headDim: number, bytesPerElement: number): number {
  return sum(spans) * headDim * 2 * bytesPerElement;
}

/** The cache that runs the plan: `dense` keeps every token, `static` a sink and a ring per KV head. */
export function cacheKindOf(plan: Plan): 'dense' | 'static' {
  return plan.method === 'dense' ? 'dense' : 'static';
}

/** Density at each length, keyed as a plan file has it. */
export function densitiesAt(plan: Plan, lengths: readonly number[]): Record<string, number> {
  return Object.fromEntries(lengths.map((tokens) => [String(tokens), densityAt(plan, tokens)]));
}

function sum(values: Int32Array): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

function checkLength(tokens: number): void {
  if (!(Number.isSafeInteger(tokens) && tokens >= 1 && tokens <= 2 ** 30)) {
    throw invalidArgument('an integer from 1 to 2^30', 'a length in tokens', tokens);
  }
}
