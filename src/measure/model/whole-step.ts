import { ceilToBlock, DEFAULT_SINK_TOKENS } from '../../core/blocks.ts';
import { MoaError } from '../../core/errors.ts';
import type { OnProgress } from '../../core/progress.ts';
import { median } from '../../core/statistics/descriptive.ts';
import type { LanguageModel } from '../../model/inference/language-model.ts';
import { settle } from '../../model/inference/settle.ts';
import { type Backend, BYTES_PER_ELEMENT } from '../../native/backend.ts';
import { type CacheLayout, cacheLayout, slotBytes, wholeLayout } from '../../plan/cache-layout.ts';
import { lintPlan } from '../../plan/lint.ts';
import type { Plan } from '../../plan/schema.ts';
import { decodeArm } from '../decode-arm.ts';
import { interleaveArms } from '../interleave.ts';
import { ceilingSizes } from '../kernel-bench.ts';
import { readCeilingArm } from '../kernel-cases.ts';
import type { WholeStepProcess, WholeStepRequest } from './protocol.ts';

export interface WholeStepOptions extends Omit<WholeStepRequest, 'kind'> {
  /** The read ceiling of this process in bytes per second, see `readCeiling`. */
  readonly readCeiling: number;
  readonly seed: string;
  readonly onProgress: OnProgress;
}

/** A method, by its cache layout, at a batch size. */
interface Contender {
  readonly id: string;
  readonly layout: CacheLayout;
  readonly batch: number;
}

/** Density of the uniform spans when there is no plan: that of the paper's headline result. */
const DENSITY = 0.5;
const CEILING_ROUNDS = 8;

/**
 * Times of decode steps of a whole model, with what the roofline needs: the bytes that a step reads (weights, live keys and values) and the read ceiling of
 * this process. All contenders, each with and without a recorded graph, take turns in rounds of random order.
 */
export async function measureWholeStep(model: LanguageModel, options: WholeStepOptions): Promise<WholeStepProcess> {
  const layouts = methodLayouts(model, options);
  const contenders = contendersOf(model, layouts, options);
  const { steps, rounds, seed, onProgress } = options;
  const reasons = new Map<string, string>();
  const peaks = new Map<string, number>();
  const arms = contenders.flatMap(({ id, layout, batch }) =>
    (['on', 'off'] as const).map((graph) => {
      const key = `${id}/${graph}`;
      const onMemory = ({ peakBytes }: { readonly peakBytes: number }): void => void peaks.set(key, peakBytes);
      const common = { model, layout, batch, newTokens: steps, chunkTokens: model.blockRows };
      return { id, graph, batch, layout, key, arm: decodeArm({ ...common, id: key, graph, onMemory }) };
    }),
  );
  const timed = await interleaveArms(
    arms.map(({ arm }) => arm),
    { rounds, warmupRounds: 1, seed, stage: 'whole-step', onProgress },
    async ({ id }, error) => {
      if (!(error instanceof MoaError)) throw error;
      await settle(model);
      reasons.set(id, error.message);
    },
  );
  return {
    density: layouts.density,
    readCeiling: options.readCeiling,
    weightBytes: stepWeightBytes(model),
    rows: arms.map(({ id, graph, batch, layout, key }) => {
      const samples = timed.get(key)?.samplesMs;
      if (samples === undefined) return { id, graph, batch, reason: reasons.get(key) ?? 'it was not timed' };
      const kvBytes = meanKvBytes(layout, { batch, steps });
      return { id, graph, batch, kvBytes, peakBytes: peaks.get(key) ?? 0, stepMs: samples.map((ms) => ms / steps) };
    }),
  };
}

interface MethodLayouts {
  readonly dense: CacheLayout;
  readonly uniform: CacheLayout;
  readonly moa: CacheLayout | null;
  readonly density: number;
}

function methodLayouts(model: LanguageModel, { plan, tokens, steps }: WholeStepOptions): MethodLayouts {
  const { config, activationDType: dtype } = model;
  if (plan !== null) refuseOtherModel(plan, model);
  const dense = wholeLayout(config, { tokens, dtype });
  const moa = plan === null ? null : cacheLayout(plan, { promptTokens: tokens - steps, newTokens: steps, dtype });
  const density = moa === null ? DENSITY : moa.bytes / dense.bytes;
  const span = ceilToBlock(Math.round(density * tokens));
  const spans = new Int32Array(config.layers * config.kvHeads).fill(span);
  const bytes = spans.reduce((sum, slots) => sum + slots, 0) * slotBytes(dense);
  return { dense, moa, density, uniform: { ...dense, kind: 'ring', sink: DEFAULT_SINK_TOKENS, spans, bytes } };
}

function refuseOtherModel(plan: Plan, model: LanguageModel): void {
  const wrong = lintPlan(plan, { model: model.config }).find(({ severity }) => severity === 'error');
  if (wrong !== undefined)
    throw new MoaError(`Expected a plan for ${model.name} but received ${plan.name}: ${wrong.message}`, { code: 'INVALID_ARGUMENT' });
}

function contendersOf(model: LanguageModel, { dense, uniform, moa }: MethodLayouts, options: WholeStepOptions): readonly Contender[] {
  const memory = model.backend.memory().device;
  const budget = memory === undefined ? null : options.memory * memory.totalBytes - model.weightBytes;
  const batch = options.batch ?? (budget === null ? 1 : Math.max(Math.floor(budget / dense.bytes), 1));
  const bytes = options.batch === null && budget !== null ? budget : batch * dense.bytes;
  return [
    { id: 'dense', layout: dense, batch },
    { id: 'uniform, same batch', layout: uniform, batch },
    ...(moa === null
      ? []
      : [
          { id: 'moa, same batch', layout: moa, batch },
          { id: 'moa, same memory', layout: moa, batch: Math.max(Math.floor(bytes / moa.bytes), 1) },
        ]),
    ...(batch === 1 ? [] : [{ id: 'dense, batch 1', layout: dense, batch: 1 }]),
    ...(batch === 1 || moa === null ? [] : [{ id: 'moa, batch 1', layout: moa, batch: 1 }]),
  ];
}

/** The highest rate at which the backend reads memory, in bytes per second. */
export async function readCeiling(backend: Backend): Promise<number> {
  const arm = readCeilingArm(backend, 'read ceiling', ceilingSizes(backend.traits.timer).ceilingMiB);
  try {
    const times: number[] = [];
    for (let i = 0; i < CEILING_ROUNDS; i++) times.push(await arm.run());
    return arm.bytes / (median(times.slice(2)) / 1e3); // the first two warm up
  } finally {
    arm.dispose();
  }
}

/**
 * Bytes of the weights that a step reads. An embedding counts only when the output head shares it: otherwise a step reads just one row of it for each
 * sequence.
 */
function stepWeightBytes({ config, weightBytes, weights }: LanguageModel): number {
  const embedding = config.vocabSize * config.hiddenSize * BYTES_PER_ELEMENT[weights.embedding.dtype];
  return weightBytes - (config.tiedEmbeddings ? 0 : embedding);
}

/** Live bytes of all sequences, as the mean of the first and the last step of a pass. */
function meanKvBytes(layout: CacheLayout, { batch, steps }: { readonly batch: number; readonly steps: number }): number {
  const live = (tokens: number): number => layout.spans.reduce((sum, span) => sum + Math.min(span, tokens), 0);
  return ((live(layout.tokens - steps) + live(layout.tokens)) / 2) * batch * slotBytes(layout);
}
