/** Cache names up to version 2 -> cache names now. In those versions caches were named after methods. */
const CACHES: Readonly<Record<string, string>> = { static: 'ring', dense: 'full' };

/**
 * A record line of version 1 or 2 with the names of version 3. In the older versions `length` was called `contextTokens`, and caches were named after methods.
 * A value without `contextTokens` is returned as it is.
 */
export function withTodaysNames(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('contextTokens' in value)) return value;
  const { contextTokens, ...others } = value as { readonly [key: string]: unknown };
  const cache = typeof others.cache === 'string' ? (CACHES[others.cache] ?? others.cache) : others.cache;
  return { ...others, length: contextTokens, cache };
}
