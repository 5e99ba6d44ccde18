import { z } from 'zod';
import { MoaError } from '../../core/errors.ts';
import { parseOrThrow } from '../../core/json-file.ts';

const positive = z.number().positive();
const length = z.int().min(1);
const base = { factor: positive.min(1) };

const ropeScalingSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('linear'), ...base }),
  z.object({ kind: z.literal('dynamic'), ...base }),
  z.object({
    kind: z.literal('llama3'),
    ...base,
    lowFrequencyFactor: positive,
    highFrequencyFactor: positive,
    originalMaxPositions: length,
  }),
  z.object({
    kind: z.literal('yarn'),
    ...base,
    originalMaxPositions: length,
    /** Multiplies cos and sin; null: derived from factor, mscale and mscaleAllDim. */
    attentionFactor: z.number().min(0).nullable(),
    betaFast: positive,
    betaSlow: positive,
    mscale: z.number().nullable(),
    mscaleAllDim: z.number().nullable(),
    truncate: z.boolean(),
  }),
]);

/** How RoPE frequencies are stretched beyond the pretrained length; formulas in rope-frequencies.ts. */
export type RopeScaling = z.infer<typeof ropeScalingSchema>;

const SUPPORTED = ['default', 'linear', 'dynamic', 'yarn', 'llama3'];

const ropeFields = z.looseObject({
  rope_theta: positive.nullish(),
  rope_scaling: z.record(z.string(), z.unknown()).nullish(),
  rope_parameters: z.record(z.string(), z.unknown()).nullish(),
  original_max_position_embeddings: length.nullish(),
});

export interface RopeConfig {
  readonly ropeTheta: number;
  readonly ropeScaling: RopeScaling | null;
}

/**
 * RoPE base and scaling of a config.json in either style of transformers: `rope_theta` with `rope_scaling: { type | rope_type, ... }`
 * (before 5), or `rope_parameters: { rope_theta, rope_type, ... }`. The default base is 10000.
 * @throws MoaError INVALID_FILE, or UNSUPPORTED for other scalings.
 */
export function parseRope(json: unknown, context: { readonly source: string; readonly maxPositions: number }): RopeConfig {
  const { source, maxPositions } = context;
  const raw = parseOrThrow(ropeFields, json, { what: 'RoPE parameters', path: source });
  // transformers lets rope_scaling replace rope_parameters when both are there.
  const useOld = raw.rope_scaling !== undefined && raw.rope_scaling !== null && Object.keys(raw.rope_scaling).length > 0;
  const parameters = (useOld ? raw.rope_scaling : raw.rope_parameters) ?? {};
  const name = `${useOld ? 'rope_scaling' : 'rope_parameters'} in ${source}`;
  const theta =
    parseOrThrow(positive.nullish(), parameters.rope_theta, { what: 'a positive rope_theta', path: name }) ?? raw.rope_theta ?? 10000;
  const type = parameters.rope_type ?? parameters.type ?? 'default';
  if (typeof type !== 'string' || !SUPPORTED.includes(type)) {
    throw new MoaError(`Expected one of the RoPE types ${SUPPORTED.join(', ')} for ${name} but received ${JSON.stringify(type)}`, {
      code: 'UNSUPPORTED',
    });
  }
  if ((parameters.partial_rotary_factor ?? 1) !== 1) {
    throw new MoaError(`Expected partial_rotary_factor 1 for ${name} but received ${JSON.stringify(parameters.partial_rotary_factor)}`, {
      code: 'UNSUPPORTED',
    });
  }
  if (type === 'default') return { ropeTheta: theta, ropeScaling: null };
  const original = raw.original_max_position_embeddings ?? parameters.original_max_position_embeddings ?? maxPositions;
  const ropeScaling = parseOrThrow(ropeScalingSchema, scalingFields(type, parameters, original), { what: `${type} scaling`, path: name });
  checkScaling(ropeScaling, name);
  return { ropeTheta: theta, ropeScaling };
}

function scalingFields(kind: string, p: Readonly<Record<string, unknown>>, originalMaxPositions: unknown): Record<string, unknown> {
  if (kind === 'llama3') {
    return {
      kind,
      factor: p.factor,
      lowFrequencyFactor: p.low_freq_factor,
      highFrequencyFactor: p.high_freq_factor,
      originalMaxPositions,
    };
  }
  if (kind !== 'yarn') return { kind, factor: p.factor };
  return {
    kind,
    factor: p.factor,
    originalMaxPositions,
    attentionFactor: p.attention_factor ?? null,
    betaFast: p.beta_fast || 32,
    betaSlow: p.beta_slow || 1,
    mscale: p.mscale ?? null,
    mscaleAllDim: p.mscale_all_dim ?? null,
    truncate: p.truncate ?? true,
  };
}

function checkScaling(scaling: RopeScaling, name: string): void {
  if (scaling.kind === 'llama3' && scaling.highFrequencyFactor <= scaling.lowFrequencyFactor) {
    throw new MoaError(
      `Expected high_freq_factor above low_freq_factor (${scaling.lowFrequencyFactor}) for ${name} but received ${scaling.highFrequencyFactor}`,
      {
        code: 'INVALID_FILE',
      },
    );
  }
}
