import { countText } from '../summary/phrases.ts';
import type { Speed, Timed } from '../summary/speed/estimates.ts';
import { hardest } from '../summary/speed/speed.ts';
import type { MethodSummary, Summary } from '../summary/summary.ts';

const GB = 1e9;

/**
 * Tokens per second divided by the memory that they took, in GB (10^9 bytes): weights, caches and workspace at their peak. This is also the number of tokens that
 * one GB of memory yields in one second. null when the allocator's peak is not on record.
 */
export function tokensPerSecondPerGB({ tokensPerSecond, peakBytes }: Speed): Timed | null {
  if (peakBytes === null || peakBytes === 0) return null;
  const { low, high, estimate, ...n } = tokensPerSecond;
  const per = (rate: number): number => (rate * GB) / peakBytes;
  return { estimate: per(estimate), low: low === null ? null : per(low), high: high === null ? null : per(high), ...n };
}

/** `11.4 [11.2, 11.6]`, `1,213 [1,190, 1,236]`: every number with at least three digits. */
export function costText({ estimate, low, high }: Timed): string {
  const text = (value: number): string => (value >= 100 ? countText(value) : value.toPrecision(3));
  return `${text(estimate)}${low === null || high === null ? '' : ` [${text(low)}, ${text(high)}]`}`;
}

/**
 * A method's resident KV bytes divided by the baseline's, under the hardest condition at which decoding was timed for both. null when there is no such condition.
 */
export function decodeShare(method: MethodSummary, { methods, baseline }: Pick<Summary, 'methods' | 'baseline'>): number | null {
  const reference = methods.find(({ id }) => id === baseline)?.decode.filter(({ cache }) => cache !== 'dynamic') ?? [];
  const at = (own: Speed): Speed | undefined => reference.find(({ length, batch }) => length === own.length && batch === own.batch);
  const own = hardest(method.decode.filter((speed) => speed.cache !== 'dynamic' && at(speed) !== undefined));
  const other = own === undefined ? undefined : at(own);
  return own === undefined || other === undefined ? null : own.kvBytes.resident / other.kvBytes.resident;
}
