import type { Rng } from '../../core/rng.ts';

const DECILES = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];

/**
 * A random order of the ten tenths of a text whose every beginning is spread evenly: its numbers of tenths from the first and from the
 * second half of the text differ by at most one, and the first five tenths lie in five different fifths. About one order in fifty is like
 * this, so orders are drawn until one is.
 */
export function evenOrder(rng: Rng): readonly number[] {
  for (;;) {
    const order = rng.shuffle(DECILES);
    if (isEven(order)) return order;
  }
}

function isEven(order: readonly number[]): boolean {
  let lead = 0;
  const balanced = order.every((decile) => {
    lead += decile < 5 ? 1 : -1;
    return Math.abs(lead) <= 1;
  });
  return balanced && new Set(order.slice(0, 5).map((decile) => Math.floor(decile / 2))).size === 5;
}
