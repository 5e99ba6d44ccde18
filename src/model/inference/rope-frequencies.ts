import type { ModelConfig } from '../format/config.ts';
import type { RopeScaling } from '../format/rope-config.ts';

export interface RopeFrequencies {
  /** Angle per position of each pair of elements (i, i + headDim / 2): [headDim / 2]. */
  readonly inverseFrequencies: Float32Array;
  /** Factor on cos and sin (YaRN's attention factor), 1 otherwise. */
  readonly attentionFactor: number;
}

/**
 * RoPE frequencies of a model, as transformers computes them.
 * `tokens`: length of the sequence; only dynamic NTK depends on it, and only beyond the model's maximum.
 */
export function ropeFrequencies(config: ModelConfig, tokens: number): RopeFrequencies {
  const { headDim, ropeTheta: theta, ropeScaling: scaling } = config;
  const plain = powers(theta, headDim);
  if (scaling === null) return { inverseFrequencies: Float32Array.from(plain), attentionFactor: 1 };
  switch (scaling.kind) {
    case 'linear':
      return { inverseFrequencies: Float32Array.from(plain, (f) => f / scaling.factor), attentionFactor: 1 };
    case 'dynamic': {
      // base' = base (s N / N0 - (s - 1))^(D / (D - 2)), N never below the model's maximum N0
      const stretch = (scaling.factor * Math.max(tokens, config.maxPositions)) / config.maxPositions - (scaling.factor - 1);
      return { inverseFrequencies: Float32Array.from(powers(theta * stretch ** (headDim / (headDim - 2)), headDim)), attentionFactor: 1 };
    }
    case 'llama3':
      return { inverseFrequencies: Float32Array.from(plain, (f) => llama3Frequency(f, scaling)), attentionFactor: 1 };
    case 'yarn':
      return yarn(plain, config, scaling);
  }
}

/** Whether a sequence's frequencies depend on its length, which then has to be known when it is rotated. */
export function ropeDependsOnLength(config: ModelConfig): boolean {
  return config.ropeScaling?.kind === 'dynamic';
}

function powers(theta: number, headDim: number): number[] {
  return Array.from({ length: headDim / 2 }, (_, i) => theta ** ((-2 * i) / headDim));
}

/** Long wavelengths are interpolated by the factor, short ones kept, those between blended (Llama 3.1). */
function llama3Frequency(frequency: number, scaling: Extract<RopeScaling, { kind: 'llama3' }>): number {
  const { factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalMaxPositions: original } = scaling;
  const wavelength = (2 * Math.PI) / frequency;
  if (wavelength < original / high) return frequency;
  if (wavelength > original / low) return frequency / factor;
  const smooth = (original / wavelength - low) / (high - low);
  return ((1 - smooth) * frequency) / factor + smooth * frequency;
}

/** YaRN (Peng et al. 2023): a linear ramp over dimensions between interpolated and kept frequencies, and a softmax temperature. */
function yarn(plain: readonly number[], config: ModelConfig, scaling: Extract<RopeScaling, { kind: 'yarn' }>): RopeFrequencies {
  const { headDim, ropeTheta: theta } = config;
  const dimensionOf = (rotations: number): number =>
    (headDim * Math.log(scaling.originalMaxPositions / (rotations * 2 * Math.PI))) / (2 * Math.log(theta));
  const round = scaling.truncate ? { low: Math.floor, high: Math.ceil } : { low: (x: number) => x, high: (x: number) => x };
  const low = Math.max(round.low(dimensionOf(scaling.betaFast)), 0);
  let high = Math.min(round.high(dimensionOf(scaling.betaSlow)), headDim - 1);
  if (low === high) high += 0.001; // transformers' guard against a division by zero
  const inverseFrequencies = Float32Array.from(plain, (frequency, i) => {
    const ramp = Math.min(Math.max((i - low) / (high - low), 0), 1);
    return (frequency / scaling.factor) * ramp + frequency * (1 - ramp);
  });
  return { inverseFrequencies, attentionFactor: scaling.attentionFactor ?? yarnAttentionFactor(scaling) };
}

function yarnAttentionFactor(scaling: Extract<RopeScaling, { kind: 'yarn' }>): number {
  const mscaleOf = (mscale: number): number => (scaling.factor <= 1 ? 1 : 0.1 * mscale * Math.log(scaling.factor) + 1);
  if (scaling.mscale && scaling.mscaleAllDim) return mscaleOf(scaling.mscale) / mscaleOf(scaling.mscaleAllDim);
  return mscaleOf(1);
}
