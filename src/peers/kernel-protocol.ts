import { z } from 'zod';
import type { FloatDType } from '../native/backend.ts';

/**
 * The requests to the peer `pytorch-kernels` (python/moabench_peers/kernels): `open` once; `check` for a small shape; `prepare`, `time` and `release` for a
 * timed shape. The peer makes the tensors, calls our library and PyTorch, and takes the times. The requests decide what is timed, in which order and how often.
 */

/** The attention heads of a shape; `heads` is a multiple of `kvHeads`. */
interface Heads {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly dtype: FloatDType;
}

/** Slots per KV head, [layers][kvHeads]; a call goes through all layers. */
type LayerSpans = readonly (readonly number[])[];

/** A timed shape. Row-wise ops are in bf16. */
export type KernelSpec =
  | ({ readonly op: 'decode'; readonly batch: number; readonly tokens: number; readonly spans: LayerSpans } & Heads)
  | ({ readonly op: 'prefill'; readonly tokens: number; readonly spans?: LayerSpans } & Heads)
  | ({ readonly op: 'backward' | 'influence'; readonly tokens: number } & Heads)
  | { readonly op: 'gemm'; readonly m: number; readonly n: number; readonly k: number }
  | { readonly op: 'rms_norm'; readonly tokens: number; readonly width: number; readonly residual: boolean }
  | { readonly op: 'silu_mul' | 'add'; readonly tokens: number; readonly width: number }
  | { readonly op: 'rope'; readonly tokens: number; readonly heads: number; readonly headDim: number }
  | { readonly op: 'embedding' | 'gather_rows'; readonly tokens: number; readonly width: number; readonly vocabulary: number }
  | { readonly op: 'argmax'; readonly tokens: number; readonly vocabulary: number }
  | { readonly op: 'read' | 'copy'; readonly bytes: number }
  | { readonly op: 'matmul'; readonly n: number };

/** Whose kernel an arm runs: `moabench` and `moabench-plan` are our library, all others are PyTorch's. */
type ArmBy =
  /** `spans`: used instead of the case's spans. `repeat`: how often a call repeats. `dense`: without spans. `kernel`: one of the library's prefill kernels. */
  | { readonly by: 'moabench'; readonly spans?: LayerSpans; readonly repeat?: number; readonly dense?: boolean; readonly kernel?: string }
  /** Only the planning of a decode step, which serves all layers. */
  | { readonly by: 'moabench-plan' }
  /** scaled_dot_product_attention. `folded`: passes the query heads of a group as query tokens of one head. */
  | { readonly by: 'sdpa'; readonly backend: string; readonly folded?: boolean }
  | { readonly by: 'sdpa-backward'; readonly backend: string }
  | { readonly by: 'triton'; readonly block: number; readonly turns: number; readonly warps: number }
  | { readonly by: 'varlen' | 'flex' | 'F.linear' | 'torch.mm' | 'eager' | 'compiled' | 'torch.sum' | 'torch.amax' | 'torch.copy' };
export type ArmSpec = { readonly id: string } & ArmBy;

/** A small shape that is compared with float64. */
export type CheckSpec =
  | {
      readonly op: 'decode';
      readonly headDim: number;
      readonly dtype: FloatDType;
      readonly group: number;
      /** Slots of the heads of layer 0; layer 1 has the same numbers in reverse order. */
      readonly capacities: readonly number[];
      /** Tokens of three sequences before the step. */
      readonly lengths: readonly [number, number, number];
      readonly windowed: boolean;
    }
  | { readonly op: 'stale-nan' | 'append' }
  | ({ readonly op: 'prefill' | 'backward' | 'influence'; readonly lengths: readonly number[] } & CheckHeads)
  | ({ readonly op: 'prefill-rings'; readonly spans: readonly number[]; readonly tokens: number; readonly cached: number } & Omit<
      CheckHeads,
      'kvHeads'
    >);
interface CheckHeads {
  readonly headDim: number;
  readonly kvHeads: number;
  readonly group: number;
  readonly dtype: FloatDType;
}

export const openedSchema = z.strictObject({
  /** The description that the library gives of itself; null without a library. */
  library: z.record(z.string(), z.union([z.string(), z.number()])).nullable(),
  /** What reads clock and power, or why nothing can read them. */
  clockReader: z.string().nullable(),
});
export type Opened = z.infer<typeof openedSchema>;

/** `error`: the largest error relative to the largest expected magnitude, unless the note says otherwise; null when it is not finite. */
const finding = z.strictObject({ name: z.string(), error: z.number().nullable(), note: z.string(), arm: z.string().nullable() });
export type Finding = z.infer<typeof finding>;
export const checkedSchema = z.strictObject({ checks: z.array(finding) });

/** `mode`: how the arm is timed (`graph of n`, `events`, `host clock`). */
const arm = z.union([z.strictObject({ mode: z.string() }), z.strictObject({ unavailable: z.string() })]);
export const preparedSchema = z.strictObject({ checks: z.array(finding), arms: z.record(z.string(), arm) });
export type Prepared = z.infer<typeof preparedSchema>;

const positive = z.number().positive();
export const timedSchema = z.strictObject({
  /** The samples of each arm, one for each round that names the arm. */
  samplesMs: z.record(z.string(), z.array(positive)),
  hostUs: z.record(z.string(), z.number()),
  /** Readings of [SM MHz, watts] while the arms were timed. */
  clocks: z.array(z.tuple([z.number(), z.number()])),
});
export type Timed = z.infer<typeof timedSchema>;
