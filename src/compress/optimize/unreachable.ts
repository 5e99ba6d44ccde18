import { MoaError } from '../../core/errors.ts';
import type { Instance } from './instance.ts';

/** The error for density bounds that no plan meets: names the length that is missed most and the nearest density. */
export function unreachable(instance: Instance, proven: boolean, nearestBlocks: readonly number[]): MoaError {
  const misses = instance.constraintLengths.map((tokens, n) => {
    const dense = instance.layers * instance.heads * (instance.denseBlocks[n] as number);
    const lower = (instance.lowerBlocks[n] as number) / dense;
    const upper = (instance.upperBlocks[n] as number) / dense;
    const density = (nearestBlocks[n] as number) / dense;
    return { tokens, lower, upper, density, miss: Math.max(lower - density, density - upper) };
  });
  const worst = misses.reduce((a, b) => (b.miss > a.miss ? b : a));
  const bounds = `[${worst.lower.toFixed(4)}, ${worst.upper.toFixed(4)}]`;
  const others = proven ? 'no plan meets it together with the other bounds' : 'no plan was found that meets all bounds';
  return new MoaError(
    `Expected a reachable mean density in ${bounds} for the budget at ${worst.tokens} tokens but received rules whose nearest is ${worst.density.toFixed(4)}: ${others}`,
    { code: 'INVALID_ARGUMENT', hint: 'Raise the budget, lower lowerFraction, add rules, or leave the length out of constraintLengths.' },
  );
}
