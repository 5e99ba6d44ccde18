import type { FloatDType } from '../../native/backend.ts';
import type { Tolerance } from '../case.ts';
import type { CacheScenario } from './cache-scenario.ts';

const ATTENTION: Tolerance = { relative: 1e-5, reason: 'online softmax with a vectorized exp, in float32' };
/** Scores of some hundreds: their float32 rounding, 1e-5, is the exponential's relative error. */
const SHARP: Tolerance = { relative: 2e-4, reason: 'float32 scores of several hundred are off by 2e-5, and so is log p' };
/** One key's rotation may round to the other neighbour in bf16 or f16 storage; its score, one of many, moves by up to 2^-8. */
const ROUNDED_KEY: Tolerance = {
  relative: 1e-3,
  reason: 'the own key is rotated in float32, then stored in 8 or 11 bits: the last bit may differ',
};

/**
 * 16-bit activations: probabilities go into their product as 8 (11) bits, 2^-9 (2^-12) of each, and the output is stored so: the neighbour
 * of a number is up to 2^-7 (2^-10) away.
 */
const HALF = {
  bf16: { relative: 1e-2, reason: 'probabilities and outputs of 8 bits: one unit of an output, 2^-7, and sums of errors of 2^-9' },
  f16: { relative: 2e-3, reason: 'probabilities and outputs of 11 bits: one unit of an output, 2^-10, and sums of errors of 2^-12' },
} as const satisfies Record<string, Tolerance>;

/** Of attention over given keys. */
export function attentionTolerance(deviation = 1, activations: FloatDType = 'f32'): Tolerance {
  if (activations !== 'f32') return HALF[activations];
  return deviation > 3 ? SHARP : ATTENTION;
}

/** Of attention through the scenario's cache after rotating and appending a token. */
export function toleranceOf(scenario: CacheScenario): Tolerance {
  const { activations = 'f32' } = scenario;
  if (activations !== 'f32') return scenario.kv === 'bf16' ? HALF.bf16 : HALF[activations];
  if ((scenario.kv ?? 'f32') !== 'f32') return ROUNDED_KEY;
  return attentionTolerance(scenario.deviation);
}
