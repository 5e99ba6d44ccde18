import { invalidArgument } from '../core/errors.ts';
import type { FillUniformParams } from '../native/backend.ts';
import type { OpContext } from './op-context.ts';

/** Half the width of a flat distribution of deviation 1, as float32. */
const SQRT_3 = Math.fround(Math.sqrt(3));

/** Flat random numbers of the given deviation, bit by bit those of native/include/moa/uniform.h. */
export function fillUniform(context: OpContext, params: FillUniformParams): void {
  const out = context.float(params.out, 'out');
  const { seed, deviation } = params;
  if (!(Number.isSafeInteger(seed) && seed >= 0)) throw invalidArgument('an integer from 0 to 2^53 - 1', 'seed', seed);
  if (!(Number.isFinite(deviation) && deviation >= 0)) throw invalidArgument('a number of at least 0', 'deviation', deviation);
  const halfWidth = Math.fround(Math.fround(deviation) * SQRT_3);
  out.store(Float32Array.from({ length: out.size }, (_, index) => halfWidth * uniformUnit(seed, index)));
}

/** Uniform in [-1, 1) on a grid of 2^-23: a hash of seed and index. */
function uniformUnit(seed: number, index: number): number {
  const high = mixBits(highHalf(index) ^ highHalf(seed));
  const bits = mixBits(mixBits(index ^ seed) + high); // ^ takes the low 32 bits
  return (bits >>> 8) * 2 ** -23 - 1;
}

function highHalf(x: number): number {
  return Math.floor(x / 2 ** 32);
}

/** A bijection of 32 bits by xor-shifts and odd multipliers ("lowbias32" constants, public domain). */
function mixBits(x: number): number {
  let bits = x | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x7feb352d);
  bits = Math.imul(bits ^ (bits >>> 15), 0x846ca68b);
  return (bits ^ (bits >>> 16)) >>> 0;
}
