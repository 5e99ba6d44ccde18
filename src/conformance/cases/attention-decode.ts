import type { Tensor } from '../../native/backend.ts';
import { type ConformanceCase, caseName, needs } from '../case.ts';
import { toleranceOf } from './attention-tolerance.ts';
import { advance, appendRandom, attend, type CacheScenario, decodeAppendStep, makeCache, type NanPlace, SINKS } from './cache-scenario.ts';

interface DecodeShape extends CacheScenario {
  /** Visible length of every sequence at the step, the new token included. */
  readonly lengths: readonly number[];
  /** Where the last sequence's new token has a NaN: in its key (all heads), or in one number of its query or value. */
  readonly nan?: NanPlace;
}

/** One step of a ragged batch over random histories; rows are in reverse order of sequences. */
export function decode(shape: DecodeShape): ConformanceCase {
  const { lengths, nan, ...rest } = shape;
  const scenario = { ...rest, sequences: lengths.length };
  return {
    op: 'attentionDecode',
    name: caseName({ ...rest, lengths, nan }),
    tolerance: toleranceOf(scenario),
    ...needs(shape.activations),
    async run(stage) {
      const cache = makeCache(stage, scenario);
      await appendRandom(
        stage,
        cache,
        lengths.map((length) => length - 1),
        shape.activations,
      );
      const sequences = [...lengths.keys()].reverse();
      const { q, fused } = decodeAppendStep(stage, cache, scenario, { sequences, ...(nan && { nan }) });
      return { out: attend(stage, cache, q, sequences), fused };
    },
  };
}

interface LongShape extends CacheScenario {
  /** Tokens per sequence appended at once before decoding. */
  readonly prompt: readonly number[];
  readonly steps: number;
  /** Attention is compared once in so many steps. */
  readonly every: number;
  /** Sequence that sits out every second step. */
  readonly pauses?: number;
}

/** Many steps, so that rings wrap around after the prompt. */
export function decodeSteps(shape: LongShape): ConformanceCase {
  const { prompt, steps, every, pauses, ...rest } = shape;
  const scenario = { ...rest, sequences: prompt.length };
  return {
    op: 'decodeAppend',
    name: caseName({ ...rest, prompt, steps, every, pauses }),
    tolerance: toleranceOf(scenario),
    ...needs(shape.activations),
    async run(stage) {
      const cache = makeCache(stage, scenario);
      await appendRandom(stage, cache, prompt, shape.activations);
      const outputs: Record<string, Tensor> = {};
      for (let step = 0; step < steps; step++) {
        const sequences = [...prompt.keys()].filter((sequence) => sequence !== pauses || step % 2 === 0);
        const { q, fused } = decodeAppendStep(stage, cache, scenario, { sequences });
        if (step % every === every - 1)
          Object.assign(outputs, { [`out${step}`]: attend(stage, cache, q, sequences), [`fused${step}`]: fused });
        advance(
          stage,
          cache,
          prompt.map((_, sequence) => Number(sequences.includes(sequence))),
        );
      }
      return { ...outputs, lengths: await cache.lengths(), resident: cache.residentBytesPerHead() };
    },
  };
}

const RAGGED = [1, 63, 64, 65, 127, 700] as const;

export const ATTENTION_DECODE_CASES: readonly ConformanceCase[] = [
  decode({ heads: 8, kvHeads: 2, headDim: 64, spans: [128, 320, 704], kv: 'bf16', lengths: RAGGED }),
  decode({ heads: 4, kvHeads: 4, headDim: 32, spans: [128, 192, 256, 320], lengths: RAGGED }),
  decode({ heads: 8, kvHeads: 1, headDim: 128, spans: [192], kv: 'f16', lengths: [128, 129, 191, 192, 193, 300] }),
  decode({ heads: 3, kvHeads: 3, headDim: 96, spans: [64, 192, 128], sink: 0, lengths: [1, 2, 64, 65, 66, 200] }),
  decode({ heads: 6, kvHeads: 2, headDim: 32, spans: [192, 256], sink: 128, kv: 'bf16', lengths: [100, 129, 200, 257] }),
  decode({ heads: 2, kvHeads: 1, headDim: 256, spans: [128], kv: 'bf16', lengths: [300, 5] }),
  ...SINKS.map((sink) => decode({ heads: 4, kvHeads: 2, headDim: 32, spans: [640, 576], sink, lengths: [1, 500, 513, 577, 641, 800] })),
  decode({ heads: 2, kvHeads: 1, headDim: 8, spans: [128], lengths: [131] }),
  decode({ heads: 4, kvHeads: 1, headDim: 64, policy: 'full', spans: [704], kv: 'f16', lengths: [1, 700, 704] }),
  decode({ heads: 4, kvHeads: 2, headDim: 32, policy: 'dynamic', lengths: [1, 65, 333] }),
  decode({ heads: 4, kvHeads: 2, headDim: 32, spans: [128], lengths: [140, 70], nan: 'key' }),
  decode({ heads: 4, kvHeads: 2, headDim: 32, spans: [128], lengths: [70, 140], nan: 'query' }),
  decode({ heads: 4, kvHeads: 2, headDim: 32, spans: [128], kv: 'bf16', lengths: [70, 140], nan: 'value' }),
  decode({ heads: 7, kvHeads: 1, headDim: 40, spans: [128], kv: 'bf16', lengths: [77, 200] }),
  decode({ heads: 5, kvHeads: 5, headDim: 80, spans: [128, 192], kv: 'f16', lengths: [190] }),
  decode({ heads: 4, kvHeads: 2, headDim: 32, spans: [1152, 128], lengths: [1400, 1025] }),
  decode({ heads: 2, kvHeads: 1, headDim: 32, spans: [640], lengths: [700], deviation: 6 }),
  decodeSteps({ heads: 4, kvHeads: 2, headDim: 32, spans: [128, 192], prompt: [150], steps: 90, every: 15 }),
  decodeSteps({ heads: 2, kvHeads: 2, headDim: 64, spans: [64, 128], sink: 0, kv: 'bf16', prompt: [1, 63], steps: 70, every: 23 }),
  decodeSteps({ heads: 3, kvHeads: 1, headDim: 32, spans: [128, 256], kv: 'f16', prompt: [60, 0, 126], steps: 12, every: 3, pauses: 1 }),
  decodeSteps({ heads: 2, kvHeads: 1, headDim: 32, spans: [576], sink: 512, prompt: [505], steps: 160, every: 20 }),
  decodeSteps({ heads: 2, kvHeads: 1, headDim: 32, policy: 'dynamic', prompt: [0, 20], steps: 9, every: 4 }),
  decodeSteps({ heads: 2, kvHeads: 1, headDim: 32, policy: 'full', spans: [128], kv: 'bf16', prompt: [119], steps: 9, every: 4 }),
];
