import type { MethodSummary, Summary } from './summary.ts';

/**
 * The length in tokens at which shares of KV memory are stated: the longest one at which the memory of every scored method is known, so that all shares are for
 * one length. null when there is none.
 */
export function shareLength({ methods }: Pick<Summary, 'methods'>): number | null {
  const [first, ...rest] = methods.filter((method) => method.kvBytes.length > 0);
  const shared = (first?.kvBytes ?? []).filter(({ length }) => rest.every((method) => method.kvBytes.some((at) => at.length === length)));
  return shared.length === 0 ? null : Math.max(...shared.map(({ length }) => length));
}

/** A method's resident KV bytes divided by the baseline's, at a length; null when either is unknown. */
export function kvShare(method: MethodSummary, length: number | null): number | null {
  return method.kvBytes.find((at) => at.length === length)?.ratioToBaseline ?? null;
}
