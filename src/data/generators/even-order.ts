import type { Rng } from '../../core/rng.ts';

const DECILES = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];

/**
 * A random order of the ten tenths of a text of which every beginning is spread evenly: its two halves differ by at most one, and its first five
 * tenths lie in five different fifths. About one order in fifty is such; it is found by drawing.
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
