import { MoaError } from '../core/errors.ts';
import { Rng } from '../core/rng.ts';
import { BYTES_PER_ELEMENT, type FloatDType } from '../native/backend.ts';
import type { ModelConfig } from './config.ts';
import { expectedShape } from './weight-names.ts';
import type { StoredTensor, WeightSource } from './weight-source.ts';

/** Elements of random data made per model; a power of two, beyond any row that the bundled presets have. */
const POOL_ELEMENTS = 2 ** 18;

/**
 * Deterministic random weights of any shape without a file. Each row is a run of one pool of uniform numbers at a pseudo-random
 * offset, scaled per tensor, so that a 7B model costs copies and not seven billion draws. Matrices have variance 1 / fan-in (what
 * writes into the residual stream: also over 2 layers), norms are 1, biases 0: activations and logits stay of order 1.
 */
export class DummyWeights implements WeightSource {
  readonly #config: ModelConfig;
  readonly #dtype: FloatDType;
  readonly #rng: Rng;
  readonly #pools = new Map<string, Uint8Array>();
  readonly #uniform: Float32Array;

  constructor(config: ModelConfig, dtype: FloatDType, seed: string) {
    this.#config = config;
    this.#dtype = dtype;
    this.#rng = new Rng(seed);
    const draw = this.#rng.fork('pool');
    this.#uniform = Float32Array.from({ length: POOL_ELEMENTS }, () => (draw.random() * 2 - 1) * Math.sqrt(3));
  }

  has(name: string): boolean {
    return expectedShape(this.#config, name) !== undefined;
  }

  describe(name: string): StoredTensor {
    const shape = expectedShape(this.#config, name);
    if (shape === undefined) throw new MoaError(`Expected a tensor of the model for the name but received ${name}`, { code: 'INTERNAL' });
    return { dtype: this.#dtype, shape };
  }

  async readRows(name: string, start: number, rows: number, into: Uint8Array): Promise<void> {
    const { shape } = this.describe(name);
    const rowElements = shape.length === 1 ? 1 : (shape[1] ?? 1);
    const bytes = BYTES_PER_ELEMENT[this.#dtype];
    if (shape.length === 1) {
      into.set(encode(new Float32Array(rows).fill(name.endsWith('norm.weight') ? 1 : 0), this.#dtype));
      return;
    }
    const pool = this.#scaledPool(standardDeviation(name, shape, this.#config.layers));
    const poolBytes = pool.length;
    for (let r = 0; r < rows; r++) {
      let from = this.#rowOffset(name, start + r) * bytes;
      let to = r * rowElements * bytes;
      const end = to + rowElements * bytes;
      while (to < end) {
        const n = Math.min(end - to, poolBytes - from);
        into.set(pool.subarray(from, from + n), to);
        to += n;
        from = 0;
      }
    }
  }

  async close(): Promise<void> {}

  #scaledPool(scale: number): Uint8Array {
    const key = String(scale);
    let pool = this.#pools.get(key);
    if (pool === undefined) {
      pool = encode(
        this.#uniform.map((u) => u * scale),
        this.#dtype,
      );
      this.#pools.set(key, pool);
    }
    return pool;
  }

  /** Where a row starts in the pool: a hash of tensor and row, so that chunked reads agree. */
  #rowOffset(name: string, row: number): number {
    return this.#rng.fork(`${name}#${row}`).uint32() % POOL_ELEMENTS;
  }
}

function standardDeviation(name: string, shape: readonly number[], layers: number): number {
  const fanIn = shape[1] ?? 1;
  const intoResidual = name.endsWith('o_proj.weight') || name.endsWith('down_proj.weight');
  return 1 / Math.sqrt(fanIn * (intoResidual ? 2 * layers : 1));
}

/** Little-endian elements, truncated toward zero for bf16 and f16: random numbers need no rounding mode. */
function encode(values: Float32Array, dtype: FloatDType): Uint8Array {
  if (dtype === 'f32') return new Uint8Array(values.slice().buffer);
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const out = new Uint16Array(values.length);
  for (let i = 0; i < out.length; i++) {
    const b = bits[i] as number;
    out[i] = dtype === 'bf16' ? b >>> 16 : truncateToHalf(b);
  }
  return new Uint8Array(out.buffer);
}

/** IEEE binary16 bits of binary32 bits, toward zero; below the normal range zero. Weights never reach its upper end. */
function truncateToHalf(bits: number): number {
  const exponent = ((bits >>> 23) & 0xff) - 127 + 15;
  if (exponent <= 0) return 0;
  return ((bits >>> 16) & 0x8000) | (exponent << 10) | ((bits >>> 13) & 0x3ff);
}
