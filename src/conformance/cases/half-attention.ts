import type { FloatDType } from '../../native/backend.ts';
import type { ConformanceCase } from '../case.ts';
import { decode, decodeSteps } from './attention-decode.ts';
import { backward, influence, SHARP_EPSILON } from './attention-gradient.ts';
import { cached, dense } from './attention-prefill.ts';
import { append } from './cache-contents.ts';
import { SINKS } from './cache-scenario.ts';

const BF16 = { activations: 'bf16', kv: 'bf16' } as const satisfies { activations: FloatDType; kv: FloatDType };
const F16 = { activations: 'f16', kv: 'f16' } as const satisfies { activations: FloatDType; kv: FloatDType };

/** Lengths around the ends of 64-token blocks and, with spans of 64, around the first eviction. */
const EDGES = [1, 2, 63, 64, 65, 127] as const;
/** More sequences than a device handles in one wave, each with another length than its neighbours. */
const RAGGED_37 = Array.from({ length: 37 }, (_, i) => 1 + ((i * 97) % 293));

const DECODE: readonly ConformanceCase[] = [
  decode({ ...BF16, heads: 8, kvHeads: 8, headDim: 128, spans: [128, 192, 320, 448], lengths: [...EDGES, 460] }),
  decode({ ...BF16, heads: 8, kvHeads: 2, headDim: 128, spans: [192, 64], sink: 0, lengths: [...EDGES, 193] }),
  decode({ ...BF16, heads: 8, kvHeads: 1, headDim: 128, policy: 'full', spans: [4160], lengths: [4097, 1, 200] }),
  decode({ ...BF16, heads: 4, kvHeads: 2, headDim: 64, spans: [64], sink: 0, lengths: [...EDGES, 129] }),
  ...SINKS.map((sink) => decode({ ...BF16, heads: 8, kvHeads: 2, headDim: 128, spans: [640, 576], sink, lengths: [500, 513, 577, 800] })),
  decode({ ...BF16, heads: 16, kvHeads: 2, headDim: 64, spans: [320, 128], lengths: [...EDGES, 321] }),
  decode({ ...BF16, heads: 8, kvHeads: 2, headDim: 96, spans: [448, 128], lengths: [1, 65, 500] }),
  decode({ ...BF16, heads: 8, kvHeads: 4, headDim: 32, spans: [128, 64, 192], sink: 0, lengths: [...EDGES, 300] }),
  decode({ ...BF16, heads: 8, kvHeads: 1, headDim: 256, spans: [192], lengths: [64, 191, 300] }),
  decode({ ...F16, heads: 4, kvHeads: 4, headDim: 128, spans: [128, 704], lengths: [63, 64, 800] }),
  decode({ ...F16, heads: 8, kvHeads: 1, headDim: 64, spans: [192], lengths: [...EDGES, 193] }),
  decode({ ...F16, heads: 8, kvHeads: 2, headDim: 32, policy: 'full', spans: [4160], lengths: [4097, 63] }),
  decode({ ...F16, heads: 4, kvHeads: 2, headDim: 96, spans: [64, 192], sink: 0, lengths: [64, 65, 200] }),
  decode({ ...F16, heads: 2, kvHeads: 2, headDim: 256, spans: [128, 192], sink: 64, lengths: [1, 129] }),
  decode({ ...BF16, heads: 7, kvHeads: 1, headDim: 40, spans: [128], lengths: [77, 200] }),
  decode({ ...F16, heads: 5, kvHeads: 5, headDim: 80, spans: [128, 192], lengths: [190] }),
  decode({ ...BF16, heads: 4, kvHeads: 2, headDim: 64, policy: 'dynamic', lengths: [1, 65, 333] }),
  decode({ ...F16, heads: 4, kvHeads: 1, headDim: 128, policy: 'dynamic', lengths: [64, 127] }),
  decode({ activations: 'bf16', kv: 'f16', heads: 4, kvHeads: 2, headDim: 64, spans: [128], lengths: [65, 140] }),
  decode({ activations: 'f16', kv: 'bf16', heads: 4, kvHeads: 1, headDim: 128, spans: [128], lengths: [65, 140] }),
  decode({ activations: 'bf16', kv: 'f32', heads: 4, kvHeads: 2, headDim: 64, spans: [128], lengths: [65, 140] }),
  decode({ ...BF16, heads: 4, kvHeads: 2, headDim: 64, spans: [128, 320], lengths: RAGGED_37 }),
  decode({ ...F16, heads: 4, kvHeads: 1, headDim: 128, spans: [192, 64, 448], sink: 0, lengths: RAGGED_37 }),
  // One head has 66 tiles and the other three have 2; in each sequence it is another head.
  decode({ ...BF16, heads: 4, kvHeads: 4, headDim: 32, spans: [4224, 128, 128, 128], lengths: [4300, 77] }),
  decode({ ...BF16, heads: 4, kvHeads: 2, headDim: 64, spans: [128], lengths: [140, 70], nan: 'key' }),
  decode({ ...BF16, heads: 4, kvHeads: 2, headDim: 64, spans: [128], lengths: [70, 140], nan: 'query' }),
  decode({ ...F16, heads: 4, kvHeads: 2, headDim: 128, spans: [128], lengths: [70, 140], nan: 'value' }),
  decodeSteps({ ...BF16, heads: 8, kvHeads: 2, headDim: 64, spans: [128, 192], prompt: [150], steps: 90, every: 15 }),
  decodeSteps({ ...F16, heads: 4, kvHeads: 4, headDim: 128, spans: [64, 128], sink: 0, prompt: [1, 63], steps: 70, every: 23 }),
  decodeSteps({ ...BF16, heads: 4, kvHeads: 1, headDim: 128, spans: [128, 256], prompt: [60, 0, 126], steps: 12, every: 3, pauses: 1 }),
  decodeSteps({ ...BF16, heads: 4, kvHeads: 2, headDim: 64, policy: 'dynamic', prompt: [0, 20], steps: 9, every: 4 }),
];

const APPEND: readonly ConformanceCase[] = [
  append({ ...BF16, heads: 4, kvHeads: 2, headDim: 128, spans: [128, 192], chunks: [[1], [64], [63], [130]] }),
  append({
    ...F16,
    heads: 4,
    kvHeads: 2,
    headDim: 64,
    spans: [128, 256],
    chunks: [
      [500, 3],
      [1, 200],
      [0, 129],
    ],
  }),
  append({ ...BF16, heads: 3, kvHeads: 3, headDim: 96, spans: [64, 128, 192], sink: 0, chunks: [[65], [129], [4]] }),
  append({
    ...BF16,
    heads: 2,
    kvHeads: 1,
    headDim: 32,
    spans: [128],
    chunks: [
      [140, 70],
      [3, 77],
    ],
    reset: 0,
  }),
  append({ activations: 'bf16', kv: 'f32', heads: 2, kvHeads: 1, headDim: 64, spans: [128], chunks: [[70], [90]] }),
];

const PREFILL: readonly ConformanceCase[] = [
  dense({ activations: 'bf16', heads: 8, kvHeads: 1, headDim: 128, tokens: [63, 1, 65] }),
  dense({ activations: 'bf16', heads: 4, kvHeads: 2, headDim: 64, tokens: [129, 64], noLogSumExp: true }),
  dense({ activations: 'bf16', heads: 4, kvHeads: 1, headDim: 96, tokens: [127] }),
  dense({ activations: 'bf16', heads: 2, kvHeads: 1, headDim: 256, tokens: [130] }),
  dense({ activations: 'bf16', heads: 2, kvHeads: 2, headDim: 32, tokens: [449, 1] }),
  dense({ activations: 'bf16', heads: 1, kvHeads: 1, headDim: 64, tokens: [700] }),
  dense({ activations: 'f16', heads: 2, kvHeads: 2, headDim: 128, tokens: [300] }),
  dense({ activations: 'f16', heads: 8, kvHeads: 1, headDim: 64, tokens: [64, 66] }),
  dense({ activations: 'f16', heads: 7, kvHeads: 1, headDim: 40, tokens: [66] }),
  dense({ activations: 'f16', heads: 2, kvHeads: 2, headDim: 80, tokens: [131] }),
  dense({ activations: 'bf16', heads: 2, kvHeads: 1, headDim: 64, tokens: [97], deviation: 7 }),
  dense({ activations: 'bf16', heads: 2, kvHeads: 1, headDim: 128, tokens: [40, 100], nanRow: 17 }),
  cached({ ...BF16, heads: 8, kvHeads: 2, headDim: 128, spans: [128, 192], chunks: [[200]] }),
  cached({ ...BF16, heads: 4, kvHeads: 4, headDim: 64, spans: [128, 320, 192, 256], chunks: [[65], [50], [100], [150]] }),
  cached({ ...BF16, heads: 8, kvHeads: 1, headDim: 64, spans: [64], sink: 0, chunks: [[1], [62], [2], [130], [7]] }),
  cached({ ...F16, heads: 4, kvHeads: 2, headDim: 128, spans: [64, 192], sink: 0, chunks: [[100], [1], [90]] }),
  cached({ ...F16, heads: 2, kvHeads: 1, headDim: 96, spans: [192], chunks: [[150], [33]] }),
  cached({ ...F16, heads: 2, kvHeads: 1, headDim: 256, spans: [128], chunks: [[61], [9], [64]] }),
  cached({ ...BF16, heads: 2, kvHeads: 1, headDim: 32, spans: [256], sink: 128, chunks: [[90], [190]] }),
  ...SINKS.map((sink) => cached({ ...BF16, heads: 2, kvHeads: 1, headDim: 128, spans: [576], sink, chunks: [[560], [64]] })),
  cached({
    ...BF16,
    heads: 4,
    kvHeads: 2,
    headDim: 64,
    spans: [128, 256],
    sequences: 3,
    chunks: [
      [70, 1, 0],
      [0, 64, 129],
      [30, 80, 1],
    ],
  }),
  cached({ ...BF16, heads: 4, kvHeads: 2, headDim: 128, policy: 'full', spans: [192], chunks: [[63], [65], [64]] }),
  cached({ ...BF16, heads: 2, kvHeads: 1, headDim: 32, policy: 'full', spans: [4224], history: [4030], chunks: [[67], [1]] }),
  // Windows of 4160 and 64 tokens after a history of 4097: one head has lost nothing, the other almost everything.
  cached({ ...BF16, heads: 2, kvHeads: 2, headDim: 32, spans: [4224, 128], history: [4097], chunks: [[67]] }),
  cached({
    ...F16,
    heads: 2,
    kvHeads: 2,
    headDim: 64,
    policy: 'dynamic',
    sequences: 2,
    chunks: [
      [65, 3],
      [1, 70],
      [40, 0],
    ],
  }),
  cached({ activations: 'bf16', kv: 'f32', heads: 2, kvHeads: 1, headDim: 64, spans: [128], chunks: [[70], [66]] }),
  cached({ activations: 'f16', kv: 'bf16', heads: 2, kvHeads: 1, headDim: 128, spans: [128], chunks: [[70], [66]] }),
];

const GRADIENT: readonly ConformanceCase[] = [
  backward({ activations: 'bf16', heads: 2, kvHeads: 2, headDim: 64, tokens: [65, 64, 3] }),
  backward({ activations: 'bf16', heads: 8, kvHeads: 1, headDim: 128, tokens: [66] }),
  backward({ activations: 'f16', heads: 4, kvHeads: 1, headDim: 32, tokens: [63, 1, 70] }),
  backward({ activations: 'f16', heads: 2, kvHeads: 1, headDim: 96, tokens: [97] }),
  backward({ activations: 'bf16', heads: 1, kvHeads: 1, headDim: 256, tokens: [66] }),
  backward({ activations: 'bf16', heads: 1, kvHeads: 1, headDim: 64, tokens: [385] }),
  influence({ activations: 'bf16', heads: 2, kvHeads: 2, headDim: 64, tokens: [130, 1], sink: 0, epsilon: 0.0078125 }),
  influence({ activations: 'bf16', heads: 4, kvHeads: 1, headDim: 128, tokens: [129, 63], sink: 64, epsilon: 0.0078125 }),
  influence({ activations: 'f16', heads: 4, kvHeads: 1, headDim: 64, tokens: [150], sink: 64, epsilon: 1e-3 }),
  influence({ activations: 'f16', heads: 2, kvHeads: 1, headDim: 96, tokens: [140, 17], sink: 64, epsilon: 0.0078125 }),
  influence({ activations: 'bf16', heads: 1, kvHeads: 1, headDim: 32, tokens: [513], sink: 64, epsilon: 0.0078125 }),
  influence({ activations: 'bf16', heads: 2, kvHeads: 2, headDim: 256, tokens: [65], sink: 4, epsilon: 0.0078125 }),
  influence({ activations: 'bf16', heads: 2, kvHeads: 1, headDim: 64, tokens: [150, 33], sink: 0, epsilon: SHARP_EPSILON, deviation: 5 }),
  influence({ activations: 'bf16', heads: 2, kvHeads: 2, headDim: 128, tokens: [200], sink: 64, epsilon: SHARP_EPSILON, deviation: 3 }),
  influence({ activations: 'f16', heads: 4, kvHeads: 1, headDim: 32, tokens: [130, 1], sink: 4, epsilon: SHARP_EPSILON, deviation: 4 }),
  influence({ activations: 'bf16', heads: 1, kvHeads: 1, headDim: 40, tokens: [140], sink: 64, epsilon: SHARP_EPSILON, deviation: 5 }),
];

/** Attention with 16-bit activations and caches. Dtypes, head dims, groups, spans, lengths and policies vary from case to case. */
export const HALF_ATTENTION_CASES: readonly ConformanceCase[] = [...PREFILL, ...APPEND, ...DECODE, ...GRADIENT];
