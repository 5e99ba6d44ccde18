import { MoaError } from '../../core/errors.ts';
import type { Instance } from './instance.ts';

const HINT = 'Raise the budget, lower lowerBound.fraction, add rules, or leave the length out of constraintLengths.';

/** The error for density bounds that no plan meets: names the length that is missed most and the nearest density. */
export function unreachable(instance: Instance, proven: boolean, nearestBlocks: readonly number[]): MoaError {
  const between = betweenBlocks(instance);
  if (between !== null) return between;
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
    { code: 'INVALID_ARGUMENT', hint: HINT },
  );
}

/** The error for a length at which the bounds hold no whole number of blocks, so that there is no nearest plan to name; else null. */
function betweenBlocks(instance: Instance): MoaError | null {
  const n = instance.constraintLengths.findIndex((_, i) => (instance.lowerBlocks[i] as number) > (instance.upperBlocks[i] as number));
  if (n < 0) return null;
  const ofHead = instance.denseBlocks[n] as number;
  const dense = instance.layers * instance.heads * ofHead;
  const [below, above] = [instance.upperBlocks[n] as number, instance.lowerBlocks[n] as number];
  const share = (blocks: number): string => `${(blocks / dense).toFixed(4)} (${blocks} of ${dense} blocks)`;
  const sparsest = (Math.min(...(instance.blocks[n] as Int32Array)) / ofHead).toFixed(4);
  return new MoaError(
    `Expected a budget at ${instance.constraintLengths[n]} tokens that whole blocks can meet but received one between ${share(below)} and ${share(above)}; the sparsest rule's density is ${sparsest}`,
    { code: 'INVALID_ARGUMENT', hint: HINT },
  );
}
