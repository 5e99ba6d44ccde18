import type { Tensor } from '../../native/backend.ts';
import { type ConformanceCase, caseName, needs } from '../case.ts';
import { toleranceOf } from './attention-tolerance.ts';
import {
  appendRandom,
  appendTokens,
  attend,
  attentionScale,
  type CacheScenario,
  continuing,
  decodeAppendStep,
  LAYER,
  makeCache,
} from './cache-scenario.ts';

interface StaleShape extends CacheScenario {
  /** Tokens of NaN that sequence 1 of 3 had before its reset; all sequences have `refill` tokens afterwards. */
  readonly before: number;
  readonly refill: number;
}

/**
 * Slots beyond a sequence's length may hold anything. NaNs from before a reset must not reach the output through a masked key (0 * NaN).
 */
function resetAfterNan(shape: StaleShape): ConformanceCase {
  const { before, refill, ...rest } = shape;
  const scenario = { ...rest, sequences: 3 };
  const { heads, kvHeads, headDim, activations = 'f32' } = scenario;
  return {
    op: 'cacheAppend',
    name: caseName({ ...rest, nanBeforeReset: before, refill }),
    tolerance: toleranceOf(scenario),
    ...needs(activations),
    async run(stage) {
      const cache = makeCache(stage, scenario);
      const nan = stage.poisoned([before, kvHeads, headDim], activations);
      await appendTokens(stage, cache, { k: nan, v: nan, counts: [0, before, 0] });
      cache.reset(1);
      await appendRandom(stage, cache, [refill, refill, refill], activations);
      const segments = await continuing(cache, [2, 2, 2]);
      const { q, k, v } = stage.fusedQkv(6, scenario);
      const prefilled = stage.poisoned([6, heads, headDim], activations);
      stage.backend.attentionPrefill({ q, k, v, out: prefilled, segments, scale: attentionScale(headDim), cache, layer: LAYER });
      const sequences = [2, 0, 1];
      const step = decodeAppendStep(stage, cache, scenario, { sequences });
      return { prefilled, decoded: attend(stage, cache, step.q, sequences) };
    },
  };
}

/**
 * A ring that has wrapped around holds none of the NaN tokens that it evicted. While a NaN token is still in it, every row that sees the
 * token is NaN.
 */
function evictedNan(
  shape: CacheScenario & { readonly history: number; readonly nanFrom: number; readonly nanTokens: number },
): ConformanceCase {
  const { history, nanFrom, nanTokens, ...scenario } = shape;
  const { kvHeads, headDim, activations = 'f32' } = scenario;
  return {
    op: 'attentionDecode',
    name: caseName({ ...shape }),
    tolerance: toleranceOf(scenario),
    ...needs(activations),
    async run(stage) {
      const cache = makeCache(stage, scenario);
      const [k, v] = [0, 1].map(() => {
        const values = stage.normals(history * kvHeads * headDim);
        values.fill(Number.NaN, nanFrom * kvHeads * headDim, (nanFrom + nanTokens) * kvHeads * headDim);
        return stage.of(values, [history, kvHeads, headDim], activations);
      }) as [Tensor, Tensor];
      await appendTokens(stage, cache, { k, v, counts: [history] });
      const { q } = decodeAppendStep(stage, cache, scenario, { sequences: [0] });
      return { out: attend(stage, cache, q, [0]) };
    },
  };
}

export const STALE_CACHE_CASES: readonly ConformanceCase[] = [
  resetAfterNan({ heads: 4, kvHeads: 2, headDim: 32, spans: [128, 192], before: 190, refill: 70 }),
  resetAfterNan({ heads: 4, kvHeads: 2, headDim: 64, spans: [128, 320], kv: 'bf16', activations: 'bf16', before: 300, refill: 70 }),
  resetAfterNan({ heads: 8, kvHeads: 1, headDim: 128, spans: [192], kv: 'f16', activations: 'f16', before: 150, refill: 1 }),
  resetAfterNan({
    heads: 2,
    kvHeads: 2,
    headDim: 64,
    policy: 'full',
    spans: [192],
    kv: 'bf16',
    activations: 'bf16',
    before: 192,
    refill: 65,
  }),
  evictedNan({ heads: 2, kvHeads: 1, headDim: 32, spans: [128], history: 200, nanFrom: 70, nanTokens: 60 }),
  evictedNan({
    heads: 4,
    kvHeads: 2,
    headDim: 64,
    spans: [128, 320],
    kv: 'bf16',
    activations: 'bf16',
    history: 200,
    nanFrom: 70,
    nanTokens: 60,
  }),
];
