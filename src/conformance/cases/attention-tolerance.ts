import type { Tolerance } from '../case.ts';
import type { CacheScenario } from './cache-scenario.ts';

export const ATTENTION: Tolerance = { relative: 1e-5, reason: 'online softmax with a vectorized exp, in float32' };
/** Scores of some hundreds: their float32 rounding, 1e-5, is the exponential's relative error. */
export const SHARP: Tolerance = { relative: 2e-4, reason: 'float32 scores of several hundred are off by 2e-5, and so is log p' };
/** One key's rotation may round to the other neighbour in bf16 or f16 storage; its score, one of many, moves by up to 2^-8. */
const ROUNDED_KEY: Tolerance = {
  relative: 1e-3,
  reason: 'the own key is rotated in float32, then stored in 8 or 11 bits: the last bit may differ',
};

/** Of attention through the scenario's cache after rotating and appending a token. */
export function toleranceOf(scenario: CacheScenario): Tolerance {
  if ((scenario.kv ?? 'f32') !== 'f32') return ROUNDED_KEY;
  return (scenario.deviation ?? 1) > 3 ? SHARP : ATTENTION;
}
