import type { Estimate } from './summary.ts';

/** `97%`, `0.4%`. */
export function percent(ratio: number, digits = 0): string {
  return `${(100 * ratio).toFixed(digits)}%`;
}

/** A difference of proportions in percentage points: `-3.0`. */
export function points(difference: number): string {
  const text = (100 * difference).toFixed(1);
  return text === '-0.0' ? '0.0' : text.replace('-', '\u2212');
}

/** `1.52x [1.48, 1.57]`. */
export function ratioText(ratio: Pick<Estimate, 'estimate' | 'low' | 'high'>): string {
  return `${ratio.estimate.toFixed(2)}x [${ratio.low.toFixed(2)}, ${ratio.high.toFixed(2)}]`;
}

/** `97% [91, 99]`. */
export function percentWithInterval({ estimate, low, high }: Estimate): string {
  return `${percent(estimate)} [${(100 * low).toFixed(0)}, ${(100 * high).toFixed(0)}]`;
}

/** `p < 0.001`, `p = 0.02`. */
export function pText(p: number): string {
  if (p < 0.001) return 'p < 0.001';
  return `p = ${p.toFixed(p < 0.1 ? 3 : 2)}`;
}

/** Made once: making a formatter costs a thousand times its use. */
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
