import { BLOCK_TOKENS } from '../core/blocks.ts';
import type { Rule } from '../plan/rule.ts';
import { spanOfRule } from '../plan/spans.ts';

/** What a rule is priced with: the slots that its cache keeps, or the mask of the released optimizer, which has a block more. */
export type Pricing = 'cache' | 'mask';

/**
 * Blocks that a rule counts for at N = `tokens`, sink included; at most all of the sequence. `mask`: the released optimizer takes alpha in whole
 * blocks, adds beta of the sequence's blocks, drops the fraction, and adds the sink to what it has, though the span of a rule includes the sink.
 */
export function ruleBlocks(rule: Rule, tokens: number, sink: number, pricing: Pricing): number {
  if (pricing === 'cache') return spanOfRule(rule, tokens, sink) / BLOCK_TOKENS;
  const all = Math.ceil(tokens / BLOCK_TOKENS);
  const local = Math.max(1, Math.trunc(Math.floor(rule.alpha / BLOCK_TOKENS) + rule.beta * all));
  return Math.min(sink / BLOCK_TOKENS + local, all);
}
