import type { Paired, Point } from './summary.ts';

/** `97%`, `0.4%`. */
export function percent(ratio: number, digits = 0): string {
  return `${(100 * ratio).toFixed(digits)}%`;
}

/** A difference of proportions in percentage points: `-3.0`. */
export function points(difference: number): string {
  const text = (100 * difference).toFixed(1);
  return text === '-0.0' ? '0.0' : text.replace('-', '\u2212');
}

/** Stands for an interval where the data allow none. */
const NO_INTERVAL = '(no interval)';

/** `97% [91, 99]`, `97% (no interval)`. */
export function percentWithInterval(value: Point): string {
  return withInterval(value, (ratio) => (100 * ratio).toFixed(0), '%');
}

/** A difference in percentage points: `\u22122.8 [\u22124.1, 0.2]`. */
export function pointsWithInterval(value: Point, unit = ''): string {
  return withInterval(value, points, unit);
}

/** A value with `digits` decimal places: `0.412 [0.380, 0.450]`. */
export function valueWithInterval(value: Point, digits: number): string {
  return withInterval(value, (number) => number.toFixed(digits), '');
}

/** A difference with its sign: `+0.031 [+0.010, +0.052]`. */
export function signedWithInterval(value: Point, digits: number, unit = ''): string {
  return withInterval(value, (number) => signed(number, digits), unit);
}

function withInterval({ estimate, low, high }: Point, format: (value: number) => string, unit: string): string {
  const interval = low === null || high === null ? NO_INTERVAL : `[${format(low)}, ${format(high)}]`;
  return `${format(estimate)}${unit} ${interval}`;
}

/** `+0.031`, `0.000`. */
function signed(value: number, digits: number): string {
  const text = Math.abs(value).toFixed(digits);
  return Number(text) === 0 ? text : `${value < 0 ? '\u2212' : '+'}${text}`;
}

/** `Holm-adjusted p = 0.02 over 6 comparisons`; `p = 0.02` when the family has one comparison; `not tested`. */
export function familyP({ pHolm, comparisons }: Paired): string {
  if (pHolm === null) return 'not tested';
  return comparisons === 1 ? pText(pHolm) : `Holm-adjusted ${pText(pHolm)} over ${numbered(comparisons, 'comparison')}`;
}

/** `1,024, 2,048 and 4,096`. */
export function listed(items: readonly string[]): string {
  return items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} and ${items.at(-1)}`;
}

/** `p < 0.001`, `p = 0.02`. */
export function pText(p: number): string {
  if (p < 0.001) return 'p < 0.001';
  return `p = ${p.toFixed(p < 0.1 ? 3 : 2)}`;
}

/** Made only once, because making a formatter costs a thousand times as much as using it. */
const THOUSANDS = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** `8,192`. */
export function countText(value: number): string {
  return THOUSANDS.format(value);
}

/** `1 pair`, `1,200 pairs`: a count with its noun in the right number. */
export function numbered(count: number, one: string, several = `${one}s`): string {
  return `${countText(count)} ${count === 1 ? one : several}`;
}

/** `1.5 MiB`. */
export function bytesText(bytes: number): string {
  if (bytes >= 2 ** 30) return `${(bytes / 2 ** 30).toFixed(2)} GiB`;
  if (bytes >= 2 ** 20) return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
  return `${(bytes / 2 ** 10).toFixed(0)} KiB`;
}
