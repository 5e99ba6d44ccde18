import type { FloatDType } from '../../native/backend.ts';
import type { Tolerance } from '../case.ts';
import type { CacheScenario } from './cache-scenario.ts';

const ATTENTION: Tolerance = { relative: 1e-5, reason: 'online softmax with a vectorized exp, in float32' };
/** For scores of several hundred, whose float32 rounding error of about 1e-5 becomes the relative error of the exponential. */
const SHARP: Tolerance = { relative: 2e-4, reason: 'float32 scores of several hundred are off by 2e-5, and so is log p' };
/**
 * The new key, once rotated, may be rounded to the other neighbour when it is stored as bf16 or f16. Its score, one of many, then moves by
 * up to 2^-8.
 */
const ROUNDED_KEY: Tolerance = {
  relative: 1e-3,
  reason: 'the own key is rotated in float32, then stored in 8 or 11 bits: the last bit may differ',
};

/**
 * With bf16 (f16) activations, the probabilities enter their product with 8 (11) bits, so that each is off by up to 2^-9 (2^-12) of itself.
 * The output is stored with as many bits, where the neighbour of a number is up to 2^-7 (2^-10) away.
 */
const HALF = {
  bf16: { relative: 1e-2, reason: 'probabilities and outputs of 8 bits: one unit of an output, 2^-7, and sums of errors of 2^-9' },
  f16: { relative: 2e-3, reason: 'probabilities and outputs of 11 bits: one unit of an output, 2^-10, and sums of errors of 2^-12' },
} as const satisfies Record<string, Tolerance>;

/** The tolerance of attention over given keys. */
export function attentionTolerance(deviation = 1, activations: FloatDType = 'f32'): Tolerance {
  if (activations !== 'f32') return HALF[activations];
  return deviation > 3 ? SHARP : ATTENTION;
}

/** The tolerance of attention through the scenario's cache after a token was rotated and appended. */
export function toleranceOf(scenario: CacheScenario): Tolerance {
  const { activations = 'f32' } = scenario;
  if (activations !== 'f32') return scenario.kv === 'bf16' ? HALF.bf16 : HALF[activations];
  if ((scenario.kv ?? 'f32') !== 'f32') return ROUNDED_KEY;
  return attentionTolerance(scenario.deviation);
}
