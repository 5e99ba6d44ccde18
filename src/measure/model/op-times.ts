import type { OnProgress } from '../../core/progress.ts';
import { createCache, type ModelCache } from '../../model/inference/caches.ts';
import { DecodeSession } from '../../model/inference/decode.ts';
import { prefillHidden } from '../../model/inference/forward.ts';
import type { LanguageModel } from '../../model/inference/language-model.ts';
import { wholeLayout } from '../../plan/cache-layout.ts';
import type { OpRecorder } from './op-recorder.ts';
import { someTokens, timeProfile } from './profile-vs-prefill.ts';
import type { OpTimesProcess, OpTimesRequest } from './protocol.ts';

export interface OpTimesOptions extends Omit<OpTimesRequest, 'kind'> {
  /** The recorder on whose `backend` the model was loaded. */
  readonly recorder: OpRecorder;
  readonly onProgress: OnProgress;
}

/** Time by op of one dense prefill, one profiling sample of the same tokens, and one decode step after them, batch 1. */
export async function measureOpTimes(model: LanguageModel, options: OpTimesOptions): Promise<OpTimesProcess> {
  const { tokens: length, recorder, onProgress } = options;
  const tokens = someTokens(model, length);
  const dtype = model.activationDType;
  const parts: OpTimesProcess['parts'] = [];
  const part = async (id: string, run: () => Promise<unknown>): Promise<void> => {
    onProgress({ stage: 'op-times', done: parts.length, total: 3, detail: id });
    parts.push(await measurePart(model, recorder, id, run));
  };
  const cacheOf = (capacity: number): ModelCache => createCache(model, [wholeLayout(model.config, { tokens: capacity, dtype })]);
  const fill = async (cache: ModelCache): Promise<void> => {
    (await prefillHidden(model, { cache, sequence: 0, tokens, chunkTokens: length })).dispose();
  };
  await part('prefill', async () => {
    const cache = cacheOf(length);
    await fill(cache);
    cache.dispose();
  });
  model.releaseWorkspace();
  await part('profile', () => timeProfile(model, tokens));
  const cache = cacheOf(length + RUNS);
  await fill(cache);
  const session = new DecodeSession(model, { cache, sequences: Int32Array.of(0), lastTokens: Int32Array.of(5), graph: 'off' });
  await part('decode step, batch 1', () => session.step());
  session.dispose();
  cache.dispose();
  onProgress({ stage: 'op-times', done: parts.length, total: 3 });
  return { parts };
}

/** Runs of each part: one to warm up (choices of algorithms, allocations), one timed as a whole, one timed op by op. */
const RUNS = 3;

async function measurePart(
  { backend }: LanguageModel,
  recorder: OpRecorder,
  id: string,
  run: () => Promise<unknown>,
): Promise<OpTimesProcess['parts'][number]> {
  await run();
  await backend.synchronize();
  const start = performance.now();
  await run();
  await backend.synchronize();
  const wallMs = performance.now() - start;
  return { id, wallMs, ops: [...(await recorder.times(run))] };
}
