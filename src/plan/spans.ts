import { BLOCK_TOKENS, ceilToBlock } from '../core/blocks.ts';
import { invalidArgument } from '../core/errors.ts';
import type { Rule } from './rule.ts';
import type { Plan } from './schema.ts';

/** The smallest span that can evict: the sink and one block of window. With one block of sink 128, as in the released runtime. */
export function smallestSpan(sink: number): number {
  return sink + BLOCK_TOKENS;
}

/**
 * Slots (sink + window) that a rule gives a head at N = `tokens`: alpha + beta * N truncated, clamped to [smallest span, N] and rounded up
 * to whole blocks as the released runtime does (docs/method.md, spans), but never more than the sequence itself needs.
 * @throws INVALID_ARGUMENT when `tokens` is not a positive integer.
 */
export function spanOfRule(rule: Rule, tokens: number, sink: number): number {
  checkLength(tokens);
  const span = Math.max(Math.min(Math.trunc(rule.alpha + rule.beta * tokens), tokens), smallestSpan(sink));
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
