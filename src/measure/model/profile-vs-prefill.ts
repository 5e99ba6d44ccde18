import { DEFAULT_SINK_TOKENS } from '../../core/blocks.ts';
import type { OnProgress } from '../../core/progress.ts';
import { createCache } from '../../model/inference/caches.ts';
import { prefillHidden } from '../../model/inference/forward.ts';
import type { LanguageModel } from '../../model/inference/language-model.ts';
import { influenceProfile } from '../../model/profile/influence.ts';
import { wholeLayout } from '../../plan/cache-layout.ts';
import { interleave } from '../interleave.ts';
import type { ProfileProcess, ProfileRequest } from './protocol.ts';

export interface ProfileOptions extends Omit<ProfileRequest, 'kind'> {
  readonly seed: string;
  readonly onProgress: OnProgress;
}

const ANSWER_TOKENS = 64;
/** The epsilon of the influence formula: the machine epsilon of float32, as when plans are made. */
const EPSILON = 2 ** -23;

/** Times of one profiling sample and of the dense prefill of the same tokens, in ms, and the memory that profiling takes, at each length. */
export async function measureProfile(model: LanguageModel, { lengths, rounds, seed, onProgress }: ProfileOptions): Promise<ProfileProcess> {
  const rows: ProfileProcess['rows'] = [];
  for (const length of lengths) {
    const tokens = someTokens(model, length);
    const peakBytes = await profilePeak(model, tokens);
    model.releaseWorkspace();
    const samples = await interleave(
      [
        { id: 'prefill', run: () => timePrefill(model, tokens) },
        { id: 'profile', run: () => timeProfile(model, tokens) },
      ],
      { rounds, warmupRounds: 1, seed, stage: `profile ${length}`, onProgress },
    );
    const of = (id: string): number[] => [...(samples.get(id) ?? [])];
    rows.push({ tokens: length, prefillMs: of('prefill'), profileMs: of('profile'), peakBytes });
  }
  return { rows };
}

/** `length` token ids in which neighbours differ. Which ids these are does not change the amount of work. */
export function someTokens({ config }: LanguageModel, length: number): Int32Array {
  return Int32Array.from({ length }, (_, i) => 3 + ((i * 7919) % (config.vocabSize - 4)));
}

async function timePrefill(model: LanguageModel, tokens: Int32Array): Promise<number> {
  const cache = createCache(model, [wholeLayout(model.config, { tokens: tokens.length, dtype: model.activationDType })]);
  try {
    const start = performance.now();
    const hidden = await prefillHidden(model, { cache, sequence: 0, tokens, chunkTokens: tokens.length });
    await model.backend.synchronize();
    const ms = performance.now() - start;
    hidden.dispose();
    return ms;
  } finally {
    cache.dispose();
  }
}

/** Milliseconds of one profiling sample. */
export async function timeProfile(model: LanguageModel, tokens: Int32Array): Promise<number> {
  const start = performance.now();
  await influenceProfile(model, {
    tokens,
    answerStart: tokens.length - ANSWER_TOKENS,
    sink: DEFAULT_SINK_TOKENS,
    epsilon: EPSILON,
  });
  return performance.now() - start;
}

/** Peak bytes that profiling takes beside the weights, caches and workspace that were held before. */
async function profilePeak(model: LanguageModel, tokens: Int32Array): Promise<number> {
  const { backend } = model;
  await backend.synchronize();
  const { weightsBytes, kvBytes, workspaceBytes } = backend.memory();
  backend.resetPeak();
  await timeProfile(model, tokens);
  return backend.memory().peakBytes - weightsBytes - kvBytes - workspaceBytes;
}
