import type { Backend, FloatDType, Tensor } from '../../native/backend.ts';
import type { ModelConfig } from '../format/config.ts';

/**
 * Activations of T rows in the model's activation dtype, except the residual stream, which is f32 because it sums over all layers. q, k and
 * v are column slices of qkv; `attention` and `attentionHeads` are the same memory under two shapes.
 */
export interface Activations {
  readonly residual: Tensor; // f32 [T, C]
  readonly normed: Tensor; // [T, C]
  readonly qkv: Tensor; // [T, (H + 2 Hkv) D]
  readonly q: Tensor; // [T, H, D]
  readonly k: Tensor; // [T, Hkv, D]
  readonly v: Tensor; // [T, Hkv, D]
  readonly attention: Tensor; // [T, H D]
  readonly attentionHeads: Tensor; // [T, H, D]
  readonly gateUp: Tensor; // [T, 2F]
  readonly activated: Tensor; // [T, F]
}

/** Columns of q, k and v together. */
export function qkvColumns(config: ModelConfig): number {
  return (config.heads + 2 * config.kvHeads) * config.headDim;
}

/** q, k and v as views of the fused projection's rows. */
export function splitQkv(config: ModelConfig, qkv: Tensor): { readonly q: Tensor; readonly k: Tensor; readonly v: Tensor } {
  const { heads, kvHeads, headDim } = config;
  return {
    q: qkv.columns(0, [heads, headDim]),
    k: qkv.columns(heads * headDim, [kvHeads, headDim]),
    v: qkv.columns((heads + kvHeads) * headDim, [kvHeads, headDim]),
  };
}

/**
 * Maximum number of row counts whose views are kept. Decode steps repeat a few row counts; those of the last chunks of prompts vary without
 * end.
 */
const MAX_VIEWS = 32;

/**
 * One set of activation buffers, reused by every call. It grows to the most rows that were asked for, and gives views. Sharing is safe
 * because the ops of a chunk or a step are enqueued on one in-order stream without an await between them.
 */
export class Workspace {
  readonly #config: ModelConfig;
  readonly #backend: Backend;
  readonly #dtype: FloatDType;
  #capacity = 0;
  #owned: readonly Tensor[] = [];
  readonly #views = new Map<number, Activations>();

  constructor(config: ModelConfig, backend: Backend, dtype: FloatDType) {
    this.#config = config;
    this.#backend = backend;
    this.#dtype = dtype;
  }

  /** Buffers of exactly `rows` rows; their contents are undefined. */
  activations(rows: number): Activations {
    if (rows > this.#capacity) this.#grow(rows);
    const cached = this.#views.get(rows);
    if (cached !== undefined) return cached;
    const [residual, normed, qkv, attention, gateUp, activated] = this.#owned.map((t) => t.rows(0, rows)) as unknown as Six;
    const { heads, headDim } = this.#config;
    const made = {
      residual,
      normed,
      qkv,
      ...splitQkv(this.#config, qkv),
      attention,
      attentionHeads: attention.reshape([rows, heads, headDim]),
      gateUp,
      activated,
    };
    if (this.#views.size >= MAX_VIEWS) this.#views.clear();
    this.#views.set(rows, made);
    return made;
  }

  /** Gives the memory back; the next use allocates again. */
  dispose(): void {
    for (const tensor of this.#owned) tensor.dispose();
    this.#owned = [];
    this.#capacity = 0;
    this.#views.clear();
  }

  #grow(rows: number): void {
    this.dispose();
    const { hiddenSize: C, intermediateSize: F, heads, headDim } = this.#config;
    const owned: Tensor[] = [];
    this.#owned = owned; // what was made before a failure is freed by dispose
    owned.push(this.#backend.tensor('f32', [rows, C]));
    for (const columns of [C, qkvColumns(this.#config), heads * headDim, 2 * F, F])
      owned.push(this.#backend.tensor(this.#dtype, [rows, columns]));
    this.#capacity = rows;
  }
}

type Six = readonly [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor];
