import { BLOCK_TOKENS, ceilToBlock } from '../core/blocks.ts';
import { invalidArgument } from '../core/errors.ts';
import type { HeadRules, Rule } from './rule.ts';
import type { Plan } from './schema.ts';

/** The smallest span that can evict: the sink and one block of window. With a sink of one block it is 128, as in the released runtime. */
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

/** The largest of the rules' spans; see `spanOfRule`. */
export function spanOfRules(rules: HeadRules, tokens: number, sink: number): number {
  return Math.max(...rules.map((rule) => spanOfRule(rule, tokens, sink)));
}

/**
 * Slots of every KV head at N = `tokens` (prompt + reserve), [layers * kvHeads]; multiples of 64. `ownTokens`: the most tokens that the
 * sequence may come to hold. No span has more blocks than these, however large the reserve. Default: N.
 */
export function spansAt(plan: Plan, tokens: number, ownTokens: number = tokens): Int32Array {
  checkLength(tokens);
  checkLength(ownTokens);
  const { layers, kvHeads } = plan.model;
  const { alpha, beta, further = [] } = plan.rules;
  const most = ceilToBlock(ownTokens);
  const spans = new Int32Array(layers * kvHeads);
  const widen = (layer: number, head: number, rule: Rule): void => {
    const at = layer * kvHeads + head;
    spans[at] = Math.max(spans[at] as number, Math.min(spanOfRule(rule, tokens, plan.sink), most));
  };
  for (let layer = 0; layer < layers; layer++) {
    for (let head = 0; head < kvHeads; head++)
      widen(layer, head, { alpha: alpha[layer]?.[head] as number, beta: beta[layer]?.[head] as number });
  }
  for (const { layer, head, ...rule } of further) widen(layer, head, rule);
  return spans;
}

/** The rules of every KV head, [layers * kvHeads]. */
export function rulesOf(plan: Plan): HeadRules[] {
  const { alpha, beta, further = [] } = plan.rules;
  const { kvHeads } = plan.model;
  const rules = alpha.flatMap((row, layer) =>
    row.map((value, head): [Rule, ...Rule[]] => [{ alpha: value, beta: beta[layer]?.[head] as number }]),
  );
  for (const { layer, head, ...rule } of further) rules[layer * kvHeads + head]?.push(rule);
  return rules;
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
