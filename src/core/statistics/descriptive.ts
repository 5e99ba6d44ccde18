import { invalidArgument } from '../errors.ts';

/** Arithmetic mean. Throws INVALID_ARGUMENT for an empty list. */
export function mean(values: ArrayLike<number>): number {
  requireValues(values, 'mean');
  return sum(values) / values.length;
}

/** Sum, with Neumaier's compensation: the error does not grow with the number of terms. */
export function sum(values: ArrayLike<number>): number {
  let total = 0;
  let lost = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    const next = total + value;
    lost += Math.abs(total) >= Math.abs(value) ? total - next + value : value - next + total;
    total = next;
  }
  return total + lost;
}

/** Sample standard deviation (n - 1 in the denominator); 0 for a single value. */
export function standardDeviation(values: ArrayLike<number>): number {
  const centre = mean(values);
  if (values.length === 1) return 0;
  const squares = Array.from(values, (value) => (value - centre) ** 2);
  return Math.sqrt(sum(squares) / (values.length - 1));
}

/** Quantile at `level` in [0, 1], linear between order statistics (Hyndman & Fan type 7, NumPy's default). */
export function quantile(values: ArrayLike<number>, level: number): number {
  requireValues(values, 'quantile');
  if (!(level >= 0 && level <= 1)) throw invalidArgument('a level in [0, 1]', 'quantile', level);
  return sortedQuantile(Float64Array.from(values).sort(), level);
}

/** As `quantile`, of values that are sorted already (ascending); nothing is copied. */
function sortedQuantile(sorted: ArrayLike<number>, level: number): number {
  const position = level * (sorted.length - 1);
  const below = Math.floor(position);
  const low = sorted[below] as number;
  const high = sorted[Math.min(below + 1, sorted.length - 1)] as number;
  return low === high ? low : low + (position - below) * (high - low);
}

/** The middle value, or the mean of the two in the middle. */
export function median(values: ArrayLike<number>): number {
  return quantile(values, 0.5);
}

/** Median absolute deviation from the median, unscaled (multiply by 1.4826 for a normal's standard deviation). */
export function medianAbsoluteDeviation(values: ArrayLike<number>): number {
  const centre = median(values);
  return median(Array.from(values, (value) => Math.abs(value - centre)));
}

function requireValues(values: ArrayLike<number>, name: string): void {
  if (values.length === 0) throw invalidArgument('at least one value', name, []);
  // One NaN would make a mean NaN. It would also shift every quantile without a trace, because sorting puts it last.
  for (let i = 0; i < values.length; i++) if (Number.isNaN(values[i])) throw invalidArgument('numbers', name, Number.NaN);
}
