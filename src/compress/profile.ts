import { z } from 'zod';
import { BLOCK_TOKENS } from '../core/blocks.ts';
import { MoaError } from '../core/errors.ts';
import { writeFileAtomic } from '../core/files.ts';
import { contentHash } from '../core/hash.ts';
import { readJsonAs } from '../core/json-file.ts';
import type { OnProgress } from '../core/progress.ts';
import type { LanguageModel } from '../model/inference/language-model.ts';
import { influenceProfile } from '../model/profile/influence.ts';
import type { CalibrationSet } from './calibrate.ts';

function isWholeFloat64s(text: string): boolean {
  return Buffer.from(text, 'base64').byteLength % 8 === 0;
}

/** float64 little-endian as base64: exact, and a third of the size of decimal text. */
const float64Base64 = z.codec(
  z.base64().refine(isWholeFloat64s, { error: 'Expected whole float64 numbers' }),
  z.custom<Float64Array>((value) => value instanceof Float64Array),
  {
    decode: (text) => new Float64Array(new Uint8Array(Buffer.from(text, 'base64')).buffer),
    encode: (array) => Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString('base64'),
  },
);

/**
 * Attention influence of every (layer, KV head) by distance at one length, summed over calibration samples.
 * Arrays are [layers, kvHeads, bins] in nats; see InfluenceParams in native/backend.ts for the two criteria.
 */
const influenceProfileSchema = z.strictObject({
  format: z.literal('moabench-profile'),
  version: z.literal(1),
  weightsHash: z.string(),
  calibrationHash: z.string(),
  length: z.number().int().positive(),
  layers: z.number().int().positive(),
  kvHeads: z.number().int().positive(),
  bins: z.number().int().positive(),
  sink: z.number().int().nonnegative(),
  epsilon: z.number().positive(),
  /** Dtype of activations in the forward and the backward, and of the gradients at attention's outputs. */
  activationDType: z.enum(['f32', 'f16', 'bf16']).default('f32'),
  /** Samples summed so far; the profile is complete when it equals `totalSamples`. */
  samples: z.number().int().nonnegative(),
  totalSamples: z.number().int().positive(),
  /** Sum over samples of the mean answer loss, nats. */
  lossSum: z.number(),
  elementwise: float64Base64,
  elementwiseSink: float64Base64,
  joint: float64Base64,
});

export type InfluenceProfile = z.output<typeof influenceProfileSchema>;
export type Criterion = 'moa' | 'joint';

export interface ProfileOptions {
  readonly sink: number;
  /** Added to 1 - A in the elementwise criterion; float32's machine epsilon unless the released code's bfloat16 one is wanted. */
  readonly epsilon: number;
  /** Where the profile is kept; rewritten after every sample, so that a killed run goes on from there. */
  readonly path: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
}

/** Profiles every sample of a calibration set (MoA section 4.1), going on from a partial file of the same set. */
export async function profileInfluence(model: LanguageModel, set: CalibrationSet, options: ProfileOptions): Promise<InfluenceProfile> {
  let profile = resumable(model, set, options);
  for (let i = profile.samples; i < set.items.length; i++) {
    options.signal?.throwIfAborted();
    options.onProgress?.({ stage: 'profile', done: i, total: set.items.length, detail: `${set.length} tokens` });
    const item = set.items[i] as CalibrationSet['items'][number];
    const sample = await influenceProfile(model, {
      tokens: Int32Array.from(item.tokens),
      answerStart: item.answerStart,
      sink: options.sink,
      epsilon: options.epsilon,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    const rows = profile.layers * profile.kvHeads;
    profile = {
      ...profile,
      samples: i + 1,
      lossSum: profile.lossSum + sample.loss,
      elementwise: addRows(profile.elementwise, profile.bins, sample.elementwise, { bins: sample.bins, rows }),
      elementwiseSink: addRows(profile.elementwiseSink, profile.bins, sample.elementwiseSink, { bins: sample.bins, rows }),
      joint: addRows(profile.joint, profile.bins, sample.joint, { bins: sample.bins, rows }),
    };
    saveProfile(options.path, profile);
  }
  options.onProgress?.({ stage: 'profile', done: set.items.length, total: set.items.length, detail: `${set.length} tokens` });
  return profile;
}

/** Sum with a sample whose (slightly shorter) sequence has fewer bins. */
function addRows(
  sum: Float64Array,
  bins: number,
  part: Float64Array,
  shape: { readonly bins: number; readonly rows: number },
): Float64Array {
  const out = sum.slice();
  for (let row = 0; row < shape.rows; row++) {
    for (let b = 0; b < Math.min(bins, shape.bins); b++) {
      const value = part[row * shape.bins + b] as number;
      if (!Number.isFinite(value)) {
        throw new MoaError(`Expected a finite influence for row ${row}, bin ${b} but received ${value}`, {
          code: 'INTERNAL',
          hint: 'The model or the backend produced NaN or infinity in the backward pass; run `moabench verify`. In f16 gradients may have overflowed: use bf16.',
        });
      }
      out[row * bins + b] = (out[row * bins + b] as number) + value;
    }
  }
  return out;
}

function resumable(model: LanguageModel, set: CalibrationSet, options: ProfileOptions): InfluenceProfile {
  const { layers, kvHeads } = model.config;
  const bins = Math.ceil(set.length / BLOCK_TOKENS);
  const size = layers * kvHeads * bins;
  const empty: InfluenceProfile = {
    format: 'moabench-profile',
    version: 1,
    weightsHash: model.weightsHash,
    calibrationHash: contentHash(set),
    length: set.length,
    layers,
    kvHeads,
    bins,
    sink: options.sink,
    epsilon: options.epsilon,
    activationDType: model.activationDType,
    samples: 0,
    totalSamples: set.items.length,
    lossSum: 0,
    elementwise: new Float64Array(size),
    elementwiseSink: new Float64Array(size),
    joint: new Float64Array(size),
  };
  const stored = tryLoad(options.path);
  const same =
    stored !== undefined &&
    stored.calibrationHash === empty.calibrationHash &&
    stored.weightsHash === empty.weightsHash &&
    stored.sink === empty.sink &&
    stored.epsilon === empty.epsilon &&
    stored.activationDType === empty.activationDType;
  return same ? stored : empty;
}

function tryLoad(path: string): InfluenceProfile | undefined {
  try {
    return loadProfile(path);
  } catch (error) {
    if (error instanceof MoaError && error.code === 'NOT_FOUND') return undefined;
    throw error;
  }
}

/** Writes a profile whole or not at all. */
export function saveProfile(path: string, profile: InfluenceProfile): void {
  writeFileAtomic(path, `${JSON.stringify(influenceProfileSchema.encode(profile))}\n`);
}

/** Reads a profile; malformed content is INVALID_FILE with file and field. */
export function loadProfile(path: string): InfluenceProfile {
  const hint = 'Delete the file; the profile is made again.';
  const profile = readJsonAs(influenceProfileSchema, path, { what: 'a profile', hint });
  const { layers, kvHeads, bins } = profile;
  for (const name of ['elementwise', 'elementwiseSink', 'joint'] as const) {
    const size = profile[name].length;
    if (size !== layers * kvHeads * bins) {
      throw new MoaError(`Expected ${layers * kvHeads * bins} numbers for ${name} in ${path} but received ${size}`, {
        code: 'INVALID_FILE',
        hint,
      });
    }
  }
  return profile;
}
