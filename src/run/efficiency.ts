import { performance } from 'node:perf_hooks';
import { Rng } from '../core/rng.ts';
import { generateSamples } from '../data/generate.ts';
import { GENERATION_TIMER, timeGeneration } from '../measure/generation.ts';
import { findMaxBatch } from '../measure/max-batch.ts';
import { generate } from '../model/generate.ts';
import type { DeviceMemory } from '../native/backend.ts';
import { type CacheLayout, cacheLayout } from '../plan/cache-layout.ts';
import { WITHOUT_PLAN } from '../results/record.ts';
import type { DecodeCell, MaxBatchCell, PrefillCell } from '../suite/cells.ts';
import { cellHash } from './cell-hash.ts';
import { now, type RunContext } from './context.ts';
import { generationOptions } from './generation-options.ts';
import { inGroups } from './groups.ts';
import { isCompleted, type OpenCell, recordCompleted, recordFailed, recordSkipped } from './outcome.ts';
import { settle } from '../model/settle.ts';

type TimedCell = PrefillCell | DecodeCell;
type Contender<C extends TimedCell | MaxBatchCell> = OpenCell<C> & { readonly layout: CacheLayout };

/**
 * Times prefill and decode of all methods side by side; the context is N = prompt + new tokens, where spans and budgets are fixed. A group is timed whole or
 * not at all: its rounds are pairs.
 */
export async function runTimings(context: RunContext, cells: readonly TimedCell[]): Promise<void> {
  for (const group of inGroups(cells)) {
    const contenders = open(context, group);
    if (contenders.every(({ hash }) => isCompleted(context, hash))) continue;
    await timeGroup(context, contenders);
  }
}

async function timeGroup(context: RunContext, contenders: readonly Contender<TimedCell>[]): Promise<void> {
  const { model, suite } = context;
  const { cell } = contenders[0] as Contender<TimedCell>;
  const started = performance.now();
  const contextTokens = contextTokensOf(cell);
  const batch = cell.kind === 'prefill' ? 1 : cell.batch;
  const newTokens = cell.kind === 'prefill' ? 0 : cell.newTokens;
  try {
    const timings = await timeGeneration(
      model,
      contenders.map(({ hash, layout }) => ({ id: hash, layout })),
      {
        phase: cell.kind,
        prompts: Array.from({ length: batch }, (_, i) => timingPrompt(context, contextTokens - newTokens - 1, i)),
        newTokens,
        ...generationOptions(context),
        rounds: cell.rounds,
        seed: `${suite.seed}/${cell.id}`,
        onProgress: (progress) => context.onProgress({ ...progress, detail: `${contextTokens} tokens x ${batch}` }),
      },
    );
    for (const { cell: own, hash, layout } of contenders) {
      const timing = timings.get(hash);
      if (timing === undefined) throw new Error(`no timing for ${own.id}`);
      // What a growing cache comes to depends on the tokens it was given; the run checked it against them.
      const planned = layout.kind === 'dynamic' ? timing.residentBytes : layout.bytes * batch;
      context.store.append({
        kind: 'measurement',
        time: now(),
        cell: hash,
        method: own.method,
        measure: own.kind,
        cache: layout.kind,
        contextTokens,
        batch,
        newTokens,
        process: 0,
        control: own.control,
        samplesMs: [...timing.samplesMs],
        timer: GENERATION_TIMER,
        kvBytes: { planned, resident: timing.residentBytes },
        peakBytes: timing.peakBytes,
        rssBytes: timing.rssBytes,
        deviceMemory: timing.deviceMemory,
      });
      recordCompleted(context, { cell: own, hash }, started);
    }
  } catch (error) {
    for (const contender of contenders) recordFailed(context, contender, error);
    await settle(model);
  }
}

/** Finds the largest batch of each method within the memory limit by really allocating and decoding. */
export async function runMaxBatch(context: RunContext, cells: readonly MaxBatchCell[]): Promise<void> {
  for (const contender of open(context, cells)) {
    if (isCompleted(context, contender.hash)) continue;
    await searchMaxBatch(context, contender);
  }
}

async function searchMaxBatch(context: RunContext, contender: Contender<MaxBatchCell>): Promise<void> {
  const { model } = context;
  const { cell, hash, layout } = contender;
  const started = performance.now();
  const memoryLimitBytes = cell.memoryLimitMiB * 2 ** 20;
  let deviceMemory: DeviceMemory | null = null; // of the last trial that fitted
  try {
    model.backend.setMemoryLimit(memoryLimitBytes);
    const found = await findMaxBatch(async (batch) => {
      context.signal.throwIfAborted();
      context.onProgress({ stage: 'maxBatch', done: batch, total: cell.largest, detail: `${cell.method} batch ${batch}` });
      model.backend.resetPeak();
      // One full-length prompt brings the prefill workspace; the other sequences have their whole cache and one token.
      const requests = Array.from({ length: batch }, (_, i) => ({
        tokens: timingPrompt(context, i === 0 ? cell.contextTokens - 2 : 1, i),
        layout,
        maxNewTokens: 2,
      }));
      try {
        await generate(model, { requests, stopTokens: [], ...generationOptions(context) });
      } catch (error) {
        await settle(model); // a device may run out below the limit: the next, smaller trial starts with nothing of this one
        throw error;
      }
      const { peakBytes, device = null } = model.backend.memory();
      deviceMemory = device;
      return peakBytes;
    }, cell.largest);
    context.store.append({
      kind: 'capacity',
      time: now(),
      cell: hash,
      method: cell.method,
      cache: layout.kind,
      contextTokens: cell.contextTokens,
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

function open<C extends TimedCell | MaxBatchCell>(context: RunContext, cells: readonly C[]): Contender<C>[] {
  const contenders: Contender<C>[] = [];
  for (const cell of cells) {
    const plan = context.plans.get(cell.method);
    if (plan === undefined) {
      recordSkipped(context, { cell, hash: WITHOUT_PLAN }, `method ${cell.method} has no plan (see its failed record)`);
      continue;
    }
    contenders.push({
      cell,
      hash: cellHash(cell, context.suite, context.identity, plan),
      layout: cacheLayout(plan, {
        promptTokens: contextTokensOf(cell),
        newTokens: 0,
        dtype: context.suite.model.kvDType,
        grows: cell.cache === 'dynamic',
      }),
    });
  }
  return contenders;
}

/** N of a cell: prompt and new tokens together. */
function contextTokensOf(cell: TimedCell | MaxBatchCell): number {
  switch (cell.kind) {
    case 'prefill':
      return cell.length;
    case 'decode':
      return cell.context;
    case 'maxBatch':
      return cell.contextTokens;
  }
}

/** Exactly `length` tokens: a line-retrieval prompt cut to size, or random tokens for a model without a tokenizer. */
function timingPrompt(context: RunContext, length: number, index: number): Int32Array {
  const { model, suite } = context;
  if (model.hasTokenizer && length >= 256) {
    const [sample] = generateSamples({
      task: 'lines',
      targetTokens: Math.ceil(length * 1.04) + 64,
      count: 1,
      seed: `${suite.seed}/timing/${index}`,
      tokenizer: model.tokenizer,
      split: 'eval',
    });
    const tokens = model.tokenizer.encode(sample?.prompt ?? '');
    if (tokens.length >= length) return tokens.slice(0, length);
  }
  const rng = new Rng(`${suite.seed}/timing/${index}`);
  return Int32Array.from({ length }, () => rng.int(3, model.config.vocabSize - 1));
}
