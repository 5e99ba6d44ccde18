import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { MoaError } from '../core/errors.ts';
import type { OnProgress } from '../core/progress.ts';
import type { LanguageModel } from '../model/inference/language-model.ts';
import type { Plan } from '../plan/schema.ts';
import { type Suite, type SuiteInput, suiteSchema } from '../suite/schema.ts';
import { compress } from './methods/registry.ts';
import type { ValidatedFront } from './validate.ts';

/** What `compressModel` makes plans with, by which calibration. */
export interface CompressModelOptions {
  /** Methods as a suite has them, such as `{ id: 'moa-50', method: 'moa', density: 0.5 }`; those of one call share their profiles. */
  readonly methods: SuiteInput['methods'];
  /** How methods that profile are calibrated, as a suite has it. Required for `moa`, refused where no method reads it. */
  readonly compress?: SuiteInput['compress'];
  /** Storage of keys and values while plans are validated. Default: f32. */
  readonly kvDType?: 'f32' | 'f16' | 'bf16';
  /** Of the generated calibration samples: an integer from 0. Default: 1. */
  readonly seed?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
}

/** What a method made of a model. */
export interface CompressedModel {
  /** Rules [layers][kvHeads]: what `cacheLayout` makes caches of, and `savePlan` keeps. */
  readonly plan: Plan;
  /** The plans that were optimal for some trade-off between the profiled lengths, with their validation losses; null for methods that optimize nothing. */
  readonly front: ValidatedFront | null;
}

/**
 * Makes a plan for a model with each method, in their order. `moa` runs the model forward and backward on calibration samples: minutes
 * on a CPU. Nothing is left on disk.
 * @throws MoaError INVALID_ARGUMENT for options that do not go together, UNSUPPORTED for a model without tokenizer or chat template where samples are
 * made, OUT_OF_MEMORY, ABORTED.
 */
export async function compressModel(
  model: LanguageModel,
  { signal, onProgress, ...options }: CompressModelOptions,
): Promise<readonly CompressedModel[]> {
  const suite = suiteOf(model, options);
  const profileFolder = mkdtempSync(join(tmpdir(), 'moabench-profile-'));
  const context = {
    model,
    suite,
    suiteFolder: process.cwd(),
    profileFolder,
    identity: model.weightsHash, // the folder is new: what is found there is of this model
    ...(signal === undefined ? {} : { signal }),
    ...(onProgress === undefined ? {} : { onProgress }),
  };
  try {
    const made: CompressedModel[] = [];
    for (const method of suite.methods) {
      const { plan, front } = await compress(method, context);
      made.push({ plan, front });
    }
    return made;
  } finally {
    rmSync(profileFolder, { recursive: true, force: true });
  }
}

/** The options as the suite that methods read. */
function suiteOf(model: LanguageModel, { methods, compress, kvDType, seed }: CompressModelOptions): Suite {
  const parsed = suiteSchema.safeParse({
    version: 1,
    name: 'program',
    model: { path: model.name, ...(kvDType === undefined ? {} : { kvDType }) },
    methods,
    ...(compress === undefined ? {} : { compress }),
    ...(seed === undefined ? {} : { seed }),
  });
  if (parsed.success) return parsed.data;
  throw new MoaError(
    `Expected methods and options as a suite has them for compressModel but received others:\n${z.prettifyError(parsed.error)}`,
    {
      code: 'INVALID_ARGUMENT',
      hint: 'docs/suites.md describes methods and the section compress.',
    },
  );
}
