/** Names of caches up to version 2, which were those of methods. */
const CACHES: Readonly<Record<string, string>> = { static: 'ring', dense: 'full' };

/** A record line of version 1 or 2 with the names of version 3: `length` was `contextTokens`, and a cache had the name of a method. Other values are given back. */
export function withTodaysNames(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('contextTokens' in value)) return value;
  const { contextTokens, ...others } = value as { readonly [key: string]: unknown };
  const cache = typeof others.cache === 'string' ? (CACHES[others.cache] ?? others.cache) : others.cache;
  return { ...others, length: contextTokens, cache };
}
