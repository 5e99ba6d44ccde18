import type { Spans } from '../model/caches.ts';
import type { Plan } from '../plan/schema.ts';
import { cacheKindOf, spansAt } from '../plan/spans.ts';

/**
 * The spans that a generation request names: none for a plan that keeps everything, whose cache is sized by the sequence. `ownTokens`: see spansAt.
 */
export function requestSpans(plan: Plan, tokens: number, ownTokens: number = tokens): { readonly spans?: Spans } {
  return cacheKindOf(plan) === 'dense' ? {} : { spans: spansAt(plan, tokens, ownTokens) };
}
