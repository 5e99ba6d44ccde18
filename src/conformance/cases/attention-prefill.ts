import type { FloatDType, Tensor } from '../../native/backend.ts';
import { type ConformanceCase, caseName, needs } from '../case.ts';
import { type Stage, segmentsOf } from '../stage.ts';
import { attentionTolerance } from './attention-tolerance.ts';
import { advance, appendRandom, attentionScale, type CacheScenario, continuing, LAYER, makeCache, SINKS } from './cache-scenario.ts';

interface DenseShape {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly tokens: readonly number[]; // per segment
  readonly deviation?: number;
  readonly noLogSumExp?: boolean;
  /** The row of the whole batch whose query has a NaN. */
  readonly nanRow?: number;
  readonly activations?: FloatDType; // f32 by default
}

/** Without a cache: dense causal within each segment. */
export function dense(shape: DenseShape): ConformanceCase {
  return {
    op: 'attentionPrefill',
    name: caseName({ ...shape }),
    tolerance: attentionTolerance(shape.deviation, shape.activations),
    ...needs(shape.activations),
    run(stage) {
      const { heads, headDim, nanRow, activations } = shape;
      const { segments, total } = packed(shape.tokens);
      const { q, k, v, fused } = stage.fusedQkv(total, shape);
      if (nanRow !== undefined) fused.rows(nanRow, 1).columns(0, [1]).write(Float32Array.of(Number.NaN));
      const out = stage.poisoned([total, heads, headDim], activations);
      const logSumExp = shape.noLogSumExp ? undefined : stage.poisoned([total, heads]);
      stage.backend.attentionPrefill({ q, k, v, out, segments, scale: attentionScale(headDim), ...(logSumExp && { logSumExp }) });
      return { out, ...(logSumExp && { logSumExp }) };
    },
  };
}

/** Segments of the given sizes, one after the other; each is the start of a sequence of its own. */
export function packed(tokens: readonly number[]): { readonly segments: Int32Array; readonly total: number } {
  let total = 0;
  const segments = segmentsOf(
    ...tokens.map((rows, sequence): [number, number, number, number] => {
      total += rows;
      return [total - rows, rows, 0, sequence];
    }),
  );
  return { segments, total };
}

interface CachedShape extends CacheScenario {
  /** Tokens that each sequence has before the first chunk. */
  readonly history?: readonly number[];
  /** [call][sequence]: new tokens. */
  readonly chunks: readonly (readonly number[])[];
}

/** Through a cache, in chunks: attention, append, advance. */
export function cached(shape: CachedShape): ConformanceCase {
  const { chunks, history, ...scenario } = shape;
  return {
    op: 'attentionPrefill',
    name: caseName({ ...scenario, history, chunks: chunks.map((counts) => counts.join('+')).join(',') }),
    tolerance: attentionTolerance(1, shape.activations),
    ...needs(shape.activations),
    async run(stage) {
      const cache = makeCache(stage, scenario);
      if (history !== undefined) await appendRandom(stage, cache, history, shape.activations);
      const outputs: Record<string, Tensor | Float64Array | Int32Array> = {};
      for (const [call, counts] of chunks.entries()) {
        const { out, logSumExp } = await chunk(stage, { cache, scenario, counts });
        outputs[`out${call}`] = out;
        outputs[`logSumExp${call}`] = logSumExp;
      }
      return { ...outputs, lengths: await cache.lengths(), resident: cache.residentBytesPerHead() };
    },
  };
}

async function chunk(
  stage: Stage,
  options: { readonly cache: ReturnType<typeof makeCache>; readonly scenario: CacheScenario; readonly counts: readonly number[] },
): Promise<{ readonly out: Tensor; readonly logSumExp: Tensor }> {
  const { cache, scenario, counts } = options;
  const { heads, headDim, activations } = scenario;
  const segments = await continuing(cache, counts);
  const total = counts.reduce((sum, n) => sum + n, 0);
  const { q, k, v } = stage.fusedQkv(total, scenario);
  const out = stage.poisoned([total, heads, headDim], activations);
  const logSumExp = stage.poisoned([total, heads]);
  stage.backend.attentionPrefill({ q, k, v, out, logSumExp, segments, scale: attentionScale(headDim), cache, layer: LAYER });
  stage.backend.cacheAppend({ cache, layer: LAYER, k, v, segments });
  advance(stage, cache, counts);
  return { out, logSumExp };
}

export const ATTENTION_PREFILL_CASES: readonly ConformanceCase[] = [
  dense({ heads: 1, kvHeads: 1, headDim: 8, tokens: [1] }),
  dense({ heads: 4, kvHeads: 1, headDim: 32, tokens: [63, 1, 65] }),
  dense({ heads: 2, kvHeads: 2, headDim: 64, tokens: [129, 64], noLogSumExp: true }),
  dense({ heads: 3, kvHeads: 1, headDim: 96, tokens: [70] }),
  dense({ heads: 8, kvHeads: 1, headDim: 128, tokens: [66] }),
  dense({ heads: 2, kvHeads: 1, headDim: 256, tokens: [67] }),
  dense({ heads: 7, kvHeads: 1, headDim: 40, tokens: [66] }),
  dense({ heads: 2, kvHeads: 2, headDim: 80, tokens: [131] }),
  dense({ heads: 1, kvHeads: 1, headDim: 32, tokens: [300] }),
  dense({ heads: 2, kvHeads: 1, headDim: 64, tokens: [97], deviation: 7 }),
  dense({ heads: 2, kvHeads: 1, headDim: 32, tokens: [66], deviation: 0.01 }),
  dense({ heads: 2, kvHeads: 1, headDim: 32, tokens: [40, 40], nanRow: 17 }),
  cached({ heads: 4, kvHeads: 2, headDim: 32, spans: [128, 192], chunks: [[200]] }),
  cached({ heads: 4, kvHeads: 4, headDim: 16, spans: [128, 320, 192, 256], chunks: [[65], [50], [100]] }),
  cached({ heads: 3, kvHeads: 1, headDim: 64, spans: [128], kv: 'bf16', chunks: [[1], [62], [2], [130], [7]] }),
  cached({ heads: 2, kvHeads: 1, headDim: 96, spans: [192], kv: 'f16', chunks: [[150], [33]] }),
  cached({ heads: 2, kvHeads: 2, headDim: 32, spans: [64, 192], sink: 0, chunks: [[100], [1], [90]] }),
  cached({ heads: 2, kvHeads: 1, headDim: 32, spans: [192], sink: 128, chunks: [[90], [120]] }),
  ...SINKS.map((sink) => cached({ heads: 2, kvHeads: 2, headDim: 32, spans: [576, 640], sink, chunks: [[300], [280], [90]] })),
  cached({
    heads: 2,
    kvHeads: 1,
    headDim: 32,
    spans: [128, 256],
    sequences: 3,
    chunks: [
      [70, 1, 0],
      [0, 64, 129],
      [30, 80, 1],
    ],
  }),
  cached({ heads: 8, kvHeads: 1, headDim: 128, spans: [128], kv: 'bf16', chunks: [[64], [66]] }),
  cached({ heads: 2, kvHeads: 1, headDim: 256, spans: [128], kv: 'bf16', chunks: [[61], [9], [64]] }),
  cached({ heads: 4, kvHeads: 2, headDim: 32, policy: 'full', spans: [192], kv: 'f16', chunks: [[63], [65], [64]] }),
  cached({
    heads: 2,
    kvHeads: 2,
    headDim: 64,
    policy: 'dynamic',
    kv: 'bf16',
    sequences: 2,
    chunks: [
      [65, 3],
      [1, 70],
      [40, 0],
    ],
  }),
  cached({ heads: 1, kvHeads: 1, headDim: 32, spans: [320], chunks: [[257], [190]] }),
  cached({ heads: 5, kvHeads: 1, headDim: 40, spans: [128], kv: 'bf16', chunks: [[129], [70]] }),
  cached({ heads: 2, kvHeads: 2, headDim: 32, spans: [128, 64], sink: 0, chunks: [[127], [1], [1], [1], [66]] }),
];
