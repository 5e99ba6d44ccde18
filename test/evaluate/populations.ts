import type { Rng } from '../../src/core/rng.ts';

/** Draws one value of a made-up population. */
export type Population = (rng: Rng) => number;

/** Right with probability `p`. */
export const right =
  (p: number): Population =>
  (rng) =>
    rng.random() < p ? 1 : 0;

/** A graded score: 1 with probability `whole`, else near `centre`, cut to [0, 1]. */
const graded =
  (centre: number, spread: number, whole = 0): Population =>
  (rng) =>
    rng.random() < whole ? 1 : Math.min(1, Math.max(0, centre + spread * rng.normal()));

/** Nats per token of a model that is never sure: a gamma of shape 4. */
export const nats =
  (mean: number): Population =>
  (rng) => {
    let total = 0;
    for (let i = 0; i < 4; i++) total -= Math.log(1 - rng.random());
    return (mean * total) / 4;
  };

/** Nats per token of a saturated model: nothing where it knows the answer, very many where it does not. */
export const lostNats =
  (lost: number, mean: number): Population =>
  (rng) =>
    rng.random() < lost ? Math.max(0, mean + 2 * rng.normal()) : 0.001 * rng.random();

/** Six tasks as a compressed method scores them, as the full cache does, and as a large model does on LongBench. */
export const SCORE_POPULATIONS: Readonly<Record<string, readonly Population[]>> = {
  compressed: [right(0.5), right(0.4), right(0.95), graded(0.45, 0.25, 0.2), right(0.7), graded(0.8, 0.05, 0.15)],
  full: [right(0.95), right(0.7), right(0.97), graded(0.7, 0.1, 0.8), right(0.95), right(0.97)],
  longbench: [graded(0.2, 0.2, 0.1), graded(0.3, 0.3, 0.2), right(0.65), graded(0.25, 0.08), right(0.6), graded(0.5, 0.25)],
};
