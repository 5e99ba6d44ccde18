import { ceilToBlock } from '../core/blocks.ts';
import { invalidArgument } from '../core/errors.ts';
import { BYTES_PER_ELEMENT, type CachePolicy, type FloatDType } from '../native/backend.ts';
import type { Plan } from './schema.ts';
import { spansAt } from './spans.ts';

/**
 * All that describes the cache of one sequence. The code that allocates the cache, generates with it, checks it and records it reads this
 * one value.
 */
export interface CacheLayout {
  /** `ring`: sink and ring per head, sized from spans; `full`: every token, preallocated; `dynamic`: grows by concatenation, as transformers' DynamicCache. */
  readonly kind: CachePolicy;
  readonly dtype: FloatDType;
  /** Tokens at the start that are never evicted; 0 for caches that evict nothing by design, and for sequences without room for sink and window. */
  readonly sink: number;
  /** Slots per [layer][kvHead], in whole blocks, sink included. A `dynamic` cache has no slots; for it these are the most tokens. */
  readonly spans: Int32Array;
  /** The most tokens that the sequence may come to hold. */
  readonly tokens: number;
  readonly headDim: number;
  /** Bytes of keys and values in all slots; a growing cache comes to at most this. */
  readonly bytes: number;
}

/** The sequence that a cache is for. */
export interface LayoutOptions {
  readonly promptTokens: number;
  /** Most tokens that may follow the prompt. */
  readonly newTokens: number;
  /** The reserve that spans are fixed with, where it is larger than `newTokens`. */
  readonly reserveTokens?: number | undefined;
  /** Where the reserve begins: after the prompt (default), or, for a given text that is read and not generated, after its answer. */
  readonly reserveAfter?: 'prompt' | 'answer' | undefined;
  /** Storage of keys and values. */
  readonly dtype: FloatDType;
  /** A growing cache in the place of the preallocated one; for dense plans only. */
  readonly grows?: boolean;
}

/**
 * The cache of a plan for one sequence. Spans are fixed at N = prompt + reserve, where the reserve is at least `newTokens`. A large reserve
 * makes spans longer, but no span longer than the sequence, so that no cache is larger than the dense one.
 * @throws INVALID_ARGUMENT for lengths below 1, and for a growing cache of a plan that evicts.
 */
export function cacheLayout(plan: Plan, options: LayoutOptions): CacheLayout {
  const { promptTokens, newTokens, reserveTokens = 0, reserveAfter = 'prompt', dtype, grows = false } = options;
  const tokens = promptTokens + newTokens;
  if (plan.method === 'dense') return wholeLayout(plan.model, { tokens, dtype, kind: grows ? 'dynamic' : 'full' });
  if (grows) throw invalidArgument('a dense plan', 'the plan of a growing cache', plan.name);
  const reserve = reserveAfter === 'answer' ? newTokens + reserveTokens : Math.max(newTokens, reserveTokens);
  const spans = spansAt(plan, promptTokens + reserve, tokens);
  // Spans leave no window only where the sequence fits into the sink (spanOfRule). Such a sequence evicts nothing, and all of it is
  // window.
  const sink = spans.every((span) => span > plan.sink) ? plan.sink : 0;
  return layout('ring', { dtype, sink, spans, tokens, headDim: plan.model.headDim });
}

export interface WholeOptions {
  /** The most tokens that the sequence may come to hold. */
  readonly tokens: number;
  readonly dtype: FloatDType;
  /** Default `full`. */
  readonly kind?: 'full' | 'dynamic';
}

/** The cache of a sequence whose every token is kept, without a plan. `model`: a model's configuration, or the `model` of a plan. */
export function wholeLayout(
  model: { readonly layers: number; readonly kvHeads: number; readonly headDim: number },
  { tokens, dtype, kind = 'full' }: WholeOptions,
): CacheLayout {
  const slots = kind === 'dynamic' ? tokens : ceilToBlock(tokens);
  const spans = new Int32Array(model.layers * model.kvHeads).fill(slots);
  return layout(kind, { dtype, sink: 0, spans, tokens, headDim: model.headDim });
}

/** Bytes of a head's key and value of one token. */
export function slotBytes({ headDim, dtype }: Pick<CacheLayout, 'headDim' | 'dtype'>): number {
  return 2 * headDim * BYTES_PER_ELEMENT[dtype];
}

function layout(kind: CachePolicy, parts: Omit<CacheLayout, 'kind' | 'bytes'>): CacheLayout {
  return { kind, ...parts, bytes: parts.spans.reduce((sum, span) => sum + span, 0) * slotBytes(parts) };
}
