import { performance } from 'node:perf_hooks';
import { MoaError } from '../core/errors.ts';
import { referenceOf, type Sample } from '../data/sample.ts';
import { scoreOutput } from '../evaluate/score.ts';
import { canShareCache } from '../model/inference/caches.ts';
import { type GeneratedOutput, generate } from '../model/inference/generate.ts';
import { answerLoss } from '../model/inference/loss.ts';
import { settle } from '../model/inference/settle.ts';
import { type CacheLayout, cacheLayout, type LayoutOptions } from '../plan/cache-layout.ts';
import type { Plan } from '../plan/schema.ts';
import type { QualityCell } from '../suite/cells.ts';
import { sampleSetOf } from './addresses.ts';
import { inBatches, partition } from './batches.ts';
import { type Contender, contendersOf } from './contenders.ts';
import { now, type RunContext } from './context.ts';
import { generationOptions } from './generation-options.ts';
import { inGroups } from './groups.ts';
import { recordCompleted, recordFailed, recordSkipped } from './outcome.ts';
import { type AddressedSample, addressed } from './sample-content.ts';
import { samplesFor } from './samples.ts';

const PROMPT_TAIL_CHARS = 600;

type ScoredContender = Contender<QualityCell> & { readonly startedMs: number; readonly done: ReadonlySet<string> };

/**
 * Scores all methods on the same samples, one batch of samples after another. So comparisons are paired, and an interrupted run has about as many samples
 * of one method as of another. A sample whose content is already recorded is not run again.
 */
export async function runQuality(context: RunContext, cells: readonly QualityCell[]): Promise<void> {
  for (const group of inGroups(cells)) {
    const open = await openContenders(context, contendersOf(context, group));
    if (open.length > 0) await runGroup(context, open);
  }
}

/** The cells for which some sample is not recorded yet. Records the sample set first, because only the set says which samples are "all". */
async function openContenders(context: RunContext, found: readonly Contender<QualityCell>[]): Promise<ScoredContender[]> {
  const [first] = found;
  if (first === undefined) return [];
  const set = sampleSetOf(first.cell, context);
  const contenders = found.map((contender) => ({ ...contender, startedMs: performance.now(), done: context.store.scored(contender.hash) }));
  try {
    if (context.store.samplesOf(set) === undefined) await recordSampleSet(context, first.cell, set);
  } catch (error) {
    recordBadSamples(context, contenders, error);
    return [];
  }
  return contenders.filter(({ hash }) => !context.store.isDone(hash, set));
}

async function recordSampleSet(context: RunContext, cell: QualityCell, set: string): Promise<void> {
  const samples: string[] = [];
  for await (const { content } of addressed(samplesFor(context, cell), context.model.tokenizer)) samples.push(content);
  context.store.append({ kind: 'sampleSet', time: now(), set, samples });
}

async function runGroup(context: RunContext, contenders: readonly ScoredContender[]): Promise<void> {
  const { cell } = contenders[0] as ScoredContender;
  let open = contenders;
  let index = 0;
  try {
    for await (const samples of inBatches(addressed(samplesFor(context, cell), context.model.tokenizer), context.suite.generation.batch)) {
      for (const contender of open) {
        const todo = samples.filter(({ content }) => !contender.done.has(content));
        if (todo.length === 0) continue;
        context.signal.throwIfAborted();
        const done = index * open.length + open.indexOf(contender) * samples.length;
        const total = cell.samples * open.length;
        context.onProgress({
          stage: cell.kind,
          done,
          total,
          detail: `${cell.task} ${cell.length} ${contender.cell.method}`,
          of: { ids: open.map((c) => c.cell.id), share: done / total },
        });
        try {
          if (cell.kind === 'perplexity') for (const item of todo) await recordLoss(context, contender, item);
          else await recordSamples(context, contender, todo);
        } catch (error) {
          recordFailed(context, contender, error, todo.map(({ sample }) => sample.id).join(', '));
          open = open.filter((c) => c !== contender);
          await settle(context.model);
        }
      }
      index += samples.length;
    }
  } catch (error) {
    recordBadSamples(context, open, error);
    return;
  }
  for (const contender of open) recordCompleted(context, contender, contender.startedMs);
}

/** Records an error of the samples: the first cell fails with it, and the others are skipped with a reference to the first. */
function recordBadSamples(context: RunContext, [first, ...others]: readonly ScoredContender[], error: unknown): void {
  if (first === undefined) return;
  recordFailed(context, first, error);
  for (const contender of others) recordSkipped(context, contender, `its samples could not be made or read: see ${first.cell.id}`);
}

/** Generates samples together when their caches can be one cache. Each sample has its own record. */
async function recordSamples(context: RunContext, contender: ScoredContender, samples: readonly AddressedSample[]): Promise<void> {
  const requests = samples.map(({ sample, tokens, content }) => {
    const { maxNewTokens } = sample;
    const layout = layoutOf(context, contender.plan, { promptTokens: tokens.length, newTokens: maxNewTokens });
    return { sample, tokens, content, maxNewTokens, layout };
  });
  for (const batch of partition(requests, (a, b) => canShareCache(a.layout, b.layout))) {
    const { outputs, prefillMs, decodeMs } = await generate(context.model, { requests: batch, ...generationOptions(context) });
    batch.forEach((request, i) => {
      const generated = outputs[i];
      if (generated === undefined)
        throw new MoaError(`Expected an output for ${request.sample.id} but received none`, { code: 'INTERNAL' });
      // The times of a batch belong to none of its samples.
      const times = batch.length === 1 ? { prefillMs, decodeMs } : { prefillMs: null, decodeMs: null };
      recordSample(context, contender, { ...request, generated, times });
    });
  }
}

interface Generated extends AddressedSample {
  readonly layout: CacheLayout;
  readonly generated: GeneratedOutput;
  readonly times: { readonly prefillMs: number | null; readonly decodeMs: number | null };
}

function recordSample(
  context: RunContext,
  { cell, hash }: ScoredContender,
  { sample, tokens, content, layout, generated, times }: Generated,
): void {
  const { model } = context;
  const output = model.tokenizer.decode(generated.tokens, { skipSpecial: true });
  const { score, correct } = scoreOutput(sample, output);
  context.store.append({
    kind: 'sample',
    stretch: context.stretch.open(),
    time: now(),
    cell: hash,
    method: cell.method,
    part: cell.kind === 'longbench' ? 'longbench' : 'retrieval',
    sampleId: sample.id,
    content,
    task: sample.task,
    category: sample.category,
    cluster: sample.cluster,
    length: cell.length,
    depth: sample.depth ?? null,
    promptTokens: tokens.length,
    newTokens: generated.tokens.length,
    finish: generated.finish,
    truncatedTokens: sample.truncatedTokens ?? 0,
    evidenceDistance: evidenceDistance(context, sample),
    promptTail: sample.prompt.slice(-PROMPT_TAIL_CHARS),
    output,
    expected: [...sample.answers],
    score,
    correct: correct ?? null,
    kvBytes: { planned: layout.bytes, resident: generated.kvBytes },
    ...times,
  });
}

async function recordLoss(context: RunContext, { cell, hash, plan }: ScoredContender, item: AddressedSample): Promise<void> {
  const { model } = context;
  const { sample, tokens: prompt, content } = item;
  const answer = model.tokenizer.encodeContinuation(sample.prompt, referenceOf(sample), prompt);
  const tokens = Int32Array.from([...prompt, ...answer]);
  const { reserveAfter } = context.suite.generation;
  const layout = layoutOf(context, plan, { promptTokens: prompt.length, newTokens: answer.length, reserveAfter });
  const { losses, residentKvBytes } = await answerLoss(model, {
    tokens,
    answerStart: prompt.length,
    layout,
    ...generationOptions(context),
  });
  context.store.append({
    kind: 'loss',
    stretch: context.stretch.open(),
    time: now(),
    cell: hash,
    method: cell.method,
    sampleId: sample.id,
    content,
    task: sample.task,
    cluster: sample.cluster,
    length: cell.length,
    promptTokens: prompt.length,
    answerTokens: answer.length,
    sumLoss: losses.reduce((a, b) => a + b, 0),
    kvBytes: { planned: layout.bytes, resident: residentKvBytes },
  });
}

/** The plan's cache for one sequence, with the suite's reserve and storage. */
function layoutOf(
  { suite }: RunContext,
  plan: Plan,
  sequence: Pick<LayoutOptions, 'promptTokens' | 'newTokens' | 'reserveAfter'>,
): CacheLayout {
  return cacheLayout(plan, { ...sequence, reserveTokens: suite.generation.reserveTokens, dtype: suite.model.kvDType });
}

/** How many prompt tokens follow the evidence, which a window must span; null for samples whose evidence is not at one place. */
function evidenceDistance(context: RunContext, sample: Sample): number | null {
  if (sample.evidence === undefined) return null;
  return context.model.tokenizer.encode(sample.prompt.slice(sample.evidence[1])).length;
}
