import { performance } from 'node:perf_hooks';
import { findMaxBatch } from '../measure/max-batch.ts';
import { generate } from '../model/inference/generate.ts';
import { settle } from '../model/inference/settle.ts';
import type { DeviceMemory } from '../native/backend.ts';
import type { MaxBatchCell } from '../suite/cells.ts';
import { type TimedContender, timedContendersOf } from './contenders.ts';
import { now, type RunContext } from './context.ts';
import { generationOptions } from './generation-options.ts';
import { isCompleted, recordCompleted, recordFailed } from './outcome.ts';
import { timingPrompt } from './timing-prompt.ts';

/** Finds the largest batch of each method within the memory limit by really allocating and decoding. */
export async function runMaxBatch(context: RunContext, cells: readonly MaxBatchCell[]): Promise<void> {
  for (const contender of timedContendersOf(context, cells)) {
    if (isCompleted(context, contender.hash)) continue;
    await searchMaxBatch(context, contender);
  }
}

async function searchMaxBatch(context: RunContext, contender: TimedContender<MaxBatchCell>): Promise<void> {
  const { model } = context;
  const { cell, hash, layout } = contender;
  const started = performance.now();
  const memoryLimitBytes = cell.memoryLimitMiB * 2 ** 20;
  let deviceMemory: DeviceMemory | null = null; // as the last trial that fitted left it
  try {
    model.backend.setMemoryLimit(memoryLimitBytes);
    const found = await findMaxBatch(async (batch) => {
      context.signal.throwIfAborted();
      const of = { ids: [cell.id], share: null };
      context.onProgress({ stage: 'maxBatch', done: batch, total: cell.largest, detail: `${cell.method} batch ${batch}`, of });
      model.backend.resetPeak();
      // One full-length prompt needs the whole prefill workspace. The other sequences have their whole cache, but only one token.
      const requests = Array.from({ length: batch }, (_, i) => ({
        tokens: timingPrompt(model, { length: i === 0 ? cell.length - 2 : 1, seed: `${context.suite.seed}/timing/${i}` }),
        layout,
        maxNewTokens: 2,
      }));
      try {
        await generate(model, { requests, stopTokens: [], ...generationOptions(context) });
      } catch (error) {
        await settle(model); // a device may run out of memory below the limit: the next, smaller trial must find nothing of this one
        throw error;
      }
      const { peakBytes, device = null } = model.backend.memory();
      deviceMemory = device;
      return peakBytes;
    }, cell.largest);
    context.store.append({
      kind: 'capacity',
      stretch: context.stretch.open(),
      time: now(),
      cell: hash,
      method: cell.method,
      cache: layout.kind,
      length: cell.length,
      memoryLimitBytes,
      maxBatch: found.maxBatch,
      stopped: found.stopped,
      trials: [...found.trials],
      deviceMemory,
    });
    recordCompleted(context, contender, started);
  } catch (error) {
    recordFailed(context, contender, error);
  } finally {
    model.backend.setMemoryLimit(0);
  }
}
