import { invalidArgument } from '../core/errors.ts';
import type { Rng } from '../core/rng.ts';
import type { Backend, DType, FloatDType, Graph, KvCache, KvCacheSpec, Tensor } from '../native/backend.ts';

interface RandomOptions {
  readonly dtype?: FloatDType;
  /** Standard deviation; 1 by default. */
  readonly deviation?: number;
  readonly mean?: number;
}

/** Poison for int32 outputs: no op may leave it behind. */
const INT_POISON = -123456789;

/** Where a case runs: makes inputs from the case's random numbers and frees everything at the end. */
export class Stage {
  readonly backend: Backend;
  readonly rng: Rng;
  readonly #owned: { dispose(): void }[] = [];

  constructor(backend: Backend, rng: Rng) {
    this.backend = backend;
    this.rng = rng;
  }

  /** Normal random values. */
  normals(count: number, deviation = 1, mean = 0): Float32Array {
    const values = new Float32Array(count);
    for (let i = 0; i < count; i++) values[i] = mean + deviation * this.rng.normal();
    return values;
  }

  /** A tensor of normal random values. */
  normal(shape: readonly number[], options: RandomOptions = {}): Tensor {
    return this.of(this.normals(count(shape), options.deviation, options.mean), shape, options.dtype);
  }

  /** A tensor with the given values. */
  of(values: Float32Array, shape: readonly number[], dtype: FloatDType = 'f32'): Tensor {
    const tensor = this.#own(this.backend.tensor(dtype, shape));
    tensor.write(values);
    return tensor;
  }

  ints(values: readonly number[]): Tensor {
    const tensor = this.#own(this.backend.tensor('i32', [values.length]));
    tensor.write(Int32Array.from(values));
    return tensor;
  }

  /** A tensor full of NaN (or of an absurd integer), so that elements which an op fails to write are noticed. */
  poisoned(shape: readonly number[], dtype: DType = 'f32'): Tensor {
    const tensor = this.#own(this.backend.tensor(dtype, shape));
    if (dtype === 'i32') tensor.write(new Int32Array(count(shape)).fill(INT_POISON));
    else tensor.write(new Float32Array(count(shape)).fill(Number.NaN));
    return tensor;
  }

  /** A tensor as the backend hands it out. */
  fresh(shape: readonly number[], dtype: DType): Tensor {
    return this.#own(this.backend.tensor(dtype, shape));
  }

  /** Random q [T, H, D], k and v [T, Hkv, D] as column slices of one fused projection [T, (H + 2 Hkv) D]. */
  fusedQkv(
    tokens: number,
    sizes: {
      readonly heads: number;
      readonly kvHeads: number;
      readonly headDim: number;
      readonly deviation?: number;
      readonly activations?: FloatDType;
    },
  ): {
    readonly q: Tensor;
    readonly k: Tensor;
    readonly v: Tensor;
    readonly fused: Tensor;
  } {
    const { heads, kvHeads, headDim, deviation = 1, activations = 'f32' } = sizes;
    const fused = this.normal([tokens, (heads + 2 * kvHeads) * headDim], { deviation, dtype: activations });
    const q = fused.columns(0, [heads, headDim]);
    const k = fused.columns(heads * headDim, [kvHeads, headDim]);
    const v = fused.columns((heads + kvHeads) * headDim, [kvHeads, headDim]);
    return { q, k, v, fused };
  }

  kvCache(spec: KvCacheSpec): KvCache {
    return this.#own(this.backend.kvCache(spec));
  }

  /** A graph of the ops that `record` enqueues. A backend without graphs (the reference) enqueues them at every replay. */
  graph(record: () => void): Graph {
    return this.#own(this.backend.traits.graphs ? this.backend.capture(record) : enqueuedAgain(record));
  }

  dispose(): void {
    for (const item of this.#owned.splice(0)) item.dispose();
  }

  #own<T extends { dispose(): void }>(item: T): T {
    this.#owned.push(item);
    return item;
  }
}

function enqueuedAgain(record: () => void): Graph {
  let alive = true;
  return {
    replay(): void {
      if (!alive) throw invalidArgument('a live graph', 'replay', 'a disposed one');
      record();
    },
    dispose(): void {
      alive = false;
    },
  };
}

function count(shape: readonly number[]): number {
  return shape.reduce((total, n) => total * n, 1);
}

/** Standard rotary frequencies [D / 2] for base theta. */
export function rotaryFrequencies(headDim: number, theta = 10000): Float32Array {
  return Float32Array.from({ length: headDim / 2 }, (_, i) => theta ** ((-2 * i) / headDim));
}

/** Segments (see backend.ts) from [rowStart, rowCount, firstPosition, sequence] tuples. */
export function segmentsOf(...rows: readonly (readonly [number, number, number, number])[]): Int32Array {
  return Int32Array.from(rows.flat());
}
