import type { FloatDType } from '../../native/backend.ts';
import type { KernelCheck } from './case.ts';

/**
 * The largest relative error of attention outputs. 16-bit outputs round by 2^-9 (bf16) or 2^-12 (f16) of their magnitude, and probabilities are rounded to
 * 16 bits on the way; the rest is slack.
 */
const LIMITS: Readonly<Record<FloatDType, number>> = { bf16: 1e-2, f16: 2e-3, f32: 1e-4 };
/** Twice the limit of outputs, because gradients pass through two rounded intermediates. */
const BACKWARD_LIMIT = 2e-2;
const INFLUENCE_LIMIT = 1e-2;
/** Absolute, because log-sum-exp is a natural logarithm. */
const LOG_SUM_EXP_LIMIT = 1e-3;

interface DecodeRow {
  readonly name: string;
  readonly headDim: number;
  readonly group: number;
  readonly dtype?: FloatDType;
  readonly capacities: readonly number[];
  readonly lengths: readonly [number, number, number];
  readonly windowed?: boolean;
}

/** Decode shapes that cover odd lengths, edges of tiles, rings that have wrapped, group sizes and head dimensions. */
const DECODE: readonly DecodeRow[] = [
  { name: 'd128 group 1', headDim: 128, group: 1, capacities: [128, 192, 320, 1024], lengths: [5, 700, 3000] },
  { name: 'd128 group 4', headDim: 128, group: 4, capacities: [128, 192, 320, 1024], lengths: [63, 64, 1023] },
  { name: 'd128 group 8', headDim: 128, group: 8, capacities: [2048, 128], lengths: [127, 128, 1999] },
  { name: 'd64 group 1', headDim: 64, group: 1, capacities: [128, 192, 320, 1024], lengths: [0, 191, 3000] },
  { name: 'd64 group 4', headDim: 64, group: 4, capacities: [128, 192], lengths: [1, 64, 500] },
  { name: 'd64 group 8 f16', headDim: 64, group: 8, dtype: 'f16', capacities: [1024, 192], lengths: [1, 190, 1022] },
  {
    name: 'd128 group 1, exact capacities',
    headDim: 128,
    group: 1,
    capacities: [1001, 1001],
    lengths: [1000, 1000, 1000],
    windowed: false,
  },
  { name: 'd128 group 4, long', headDim: 128, group: 4, capacities: [16384, 128], lengths: [16383, 9000, 20000] },
  { name: 'd256 group 2', headDim: 256, group: 2, capacities: [256, 576], lengths: [100, 255, 700] },
];

interface DenseRow {
  readonly name: string;
  readonly lengths: readonly number[];
  readonly headDim: number;
  readonly kvHeads: number;
  readonly group: number;
  readonly dtype?: FloatDType;
}

const PREFILL: readonly DenseRow[] = [
  { name: 'd128 group 1', lengths: [333, 130, 64], headDim: 128, kvHeads: 2, group: 1 },
  { name: 'd128 group 4', lengths: [577, 1], headDim: 128, kvHeads: 2, group: 4 },
  { name: 'd64 group 1', lengths: [333, 130], headDim: 64, kvHeads: 3, group: 1 },
  { name: 'd64 group 8 f16', lengths: [200, 129], headDim: 64, kvHeads: 1, group: 8, dtype: 'f16' },
];

/** Prefills of `tokens` tokens after `cached` tokens that the cache already holds. */
const RINGS = [
  { headDim: 128, tokens: 777, cached: 0 },
  { headDim: 128, tokens: 300, cached: 500 },
  { headDim: 64, tokens: 333, cached: 0 },
] as const;

const GRADIENT: readonly DenseRow[] = [
  { name: 'd128 group 2 N333', lengths: [333, 130], headDim: 128, kvHeads: 2, group: 2 },
  { name: 'd64 group 1 N200', lengths: [200, 65], headDim: 64, kvHeads: 2, group: 1 },
  { name: 'd128 group 2 N1537', lengths: [1537], headDim: 128, kvHeads: 1, group: 2 },
];

/** Everything that is compared with float64 before a kernel is timed. */
export function kernelChecks(): readonly KernelCheck[] {
  const gradient = { repeated: 0, 'grad q': BACKWARD_LIMIT, 'grad k': BACKWARD_LIMIT, 'grad v': BACKWARD_LIMIT };
  const influence = { repeated: 0, elementwise: INFLUENCE_LIMIT, 'elementwise sink': INFLUENCE_LIMIT, joint: INFLUENCE_LIMIT };
  const dense = ({ name: _, dtype = 'bf16', ...row }: DenseRow) => ({ dtype, ...row });
  return [
    ...DECODE.map(({ name, dtype = 'bf16', windowed = true, ...row }) => ({
      name: `decode ${name}`,
      spec: { op: 'decode', dtype, windowed, ...row } as const,
      limits: { '': LIMITS[dtype] },
    })),
    { name: 'decode over stale NaN', spec: { op: 'stale-nan' }, limits: { '': LIMITS.bf16 } },
    { name: 'append d128 rings', spec: { op: 'append' }, limits: { '': 0 } },
    ...PREFILL.map((row) => ({
      name: `prefill ${row.name}`,
      spec: { op: 'prefill', ...dense(row) } as const,
      limits: { '': LIMITS[row.dtype ?? 'bf16'], 'log-sum-exp': LOG_SUM_EXP_LIMIT },
    })),
    ...RINGS.map(({ headDim, tokens, cached }) => ({
      name: `prefill rings d${headDim}, ${tokens} after ${cached}`,
      spec: { op: 'prefill-rings', dtype: 'bf16', spans: [128, 192, 448, 1024], group: 2, headDim, tokens, cached } as const,
      limits: { '': LIMITS.bf16, 'log-sum-exp': LOG_SUM_EXP_LIMIT },
    })),
    ...(['backward', 'influence'] as const).flatMap((op) =>
      GRADIENT.map((row) => ({
        name: `${op} ${row.name}`,
        spec: { op, ...dense(row) } as const,
        limits: op === 'backward' ? gradient : influence,
      })),
    ),
  ];
}
