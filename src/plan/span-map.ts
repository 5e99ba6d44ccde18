import { BLOCK_TOKENS, ceilToBlock } from '../core/blocks.ts';
import { type HeadRules, rulesKey } from './rule.ts';
import type { Plan } from './schema.ts';
import { rulesOf, spanOfRules, spansAt } from './spans.ts';

/** Spans of a plan at one length as shares of the dense cache. */
export interface SpanMap {
  readonly tokens: number;
  /** [layers][kvHeads], 0..1. */
  readonly ratios: readonly (readonly number[])[];
  /** Mean per layer. */
  readonly layerMeans: readonly number[];
  readonly mean: number;
}

/** The layer x KV head map at a length. */
export function spanMap(plan: Plan, tokens: number): SpanMap {
  const { layers, kvHeads } = plan.model;
  const spans = spansAt(plan, tokens);
  const dense = ceilToBlock(tokens);
  const ratios = Array.from({ length: layers }, (_, l) =>
    Array.from(spans.subarray(l * kvHeads, (l + 1) * kvHeads), (span) => span / dense),
  );
  const layerMeans = ratios.map(meanOf);
  return { tokens, ratios, layerMeans, mean: meanOf(layerMeans) };
}

/** The rules of a head, how many KV heads have the same rules, and the spans at each length. */
export interface RuleCurve {
  readonly rules: HeadRules;
  readonly heads: number;
  readonly spans: readonly number[];
}

/** The plan's distinct rules, the most used first, with their spans at the lengths: the elastic curves. */
export function ruleCurves(plan: Plan, lengths: readonly number[]): RuleCurve[] {
  const found = new Map<string, { rules: HeadRules; heads: number }>();
  for (const rules of rulesOf(plan)) {
    const entry = found.get(rulesKey(rules));
    if (entry === undefined) found.set(rulesKey(rules), { rules, heads: 1 });
    else entry.heads++;
  }
  return [...found.values()]
    .sort((a, b) => b.heads - a.heads || a.rules[0].alpha - b.rules[0].alpha || a.rules[0].beta - b.rules[0].beta)
    .map(({ rules, heads }) => ({ rules, heads, spans: lengths.map((tokens) => spanOfRules(rules, tokens, plan.sink)) }));
}

/**
 * `count` lengths, equally far apart, from a quarter of the shortest to a quarter beyond the longest. Where there is room they are
 * multiples of 512 tokens, because eighths of such an N are whole blocks.
 */
export function curveLengths(lengths: readonly number[], count: number): number[] {
  const low = Math.max(128, Math.min(...lengths) / 4);
  const high = Math.max(...lengths) * 1.25;
  const unit = (high - low) / count >= 512 ? 512 : BLOCK_TOKENS;
  return Array.from({ length: count }, (_, i) => Math.ceil((low + ((high - low) * i) / (count - 1)) / unit) * unit);
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
