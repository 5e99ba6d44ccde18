import { invalidArgument } from '../errors.ts';
import type { Rng } from '../rng.ts';

/** A draw from Beta(a, b), a and b > 0: G(a) / (G(a) + G(b)) of two gamma variates. */
export function betaVariate(a: number, b: number, rng: Rng): number {
  const first = gammaVariate(a, rng);
  return first / (first + gammaVariate(b, rng));
}

/**
 * A draw from Gamma(shape, 1) by squeeze-free rejection (Marsaglia & Tsang 2000); a shape below 1 is drawn as Gamma(shape + 1) times a
 * power of a uniform.
 */
function gammaVariate(shape: number, rng: Rng): number {
  if (!(shape > 0 && Number.isFinite(shape))) throw invalidArgument('a positive shape', 'betaVariate', shape);
  if (shape < 1) return gammaVariate(shape + 1, rng) * (1 - rng.random()) ** (1 / shape);
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = rng.normal();
    const v = (1 + c * x) ** 3;
    if (v > 0 && Math.log(1 - rng.random()) < (x * x) / 2 + d - d * v + d * Math.log(v)) return d * v;
  }
}
