import { MoaError } from '../../../core/errors.ts';
import { sha256 } from '../../../core/hash.ts';
import { type Backend, BYTES_PER_ELEMENT, type FloatDType, type Tensor } from '../../../native/backend.ts';
import type { ModelConfig } from '../config.ts';
import { expectedShape } from './weight-names.ts';
import type { StoredTensor, WeightSource } from './weight-source.ts';

export interface DummyOptions {
  readonly config: ModelConfig;
  readonly backend: Backend;
  /** The dtype that `describe` gives. The numbers are the same in all dtypes, up to rounding. */
  readonly dtype: FloatDType;
  readonly seed: string;
}

/**
 * Deterministic random weights of any shape without a file, made on the backend and equal on all of them. Matrices have variance 1/fan-in,
 * and those that write into the residual stream 1/(2 layers fan-in); norms are 1 and biases 0. So activations and logits stay of order 1.
 */
export class DummyWeights implements WeightSource {
  readonly #options: DummyOptions;

  constructor(options: DummyOptions) {
    this.#options = options;
  }

  describe(name: string): StoredTensor {
    const shape = expectedShape(this.#options.config, name);
    if (shape === undefined) throw new MoaError(`Expected a tensor of the model for the name but received ${name}`, { code: 'INTERNAL' });
    return { dtype: this.#options.dtype, shape };
  }

  async copyTo(name: string, into: Tensor, onBytes: (bytes: number) => Promise<void>): Promise<void> {
    const { backend, config, dtype, seed } = this.#options;
    const { shape } = this.describe(name);
    if (shape.length === 1) backend.fill({ out: into, value: name.endsWith('norm.weight') ? 1 : 0 });
    else backend.fillUniform({ out: into, seed: seedOf(`${seed}/${name}`), deviation: standardDeviation(name, shape, config.layers) });
    await onBytes(shape.reduce((n, d) => n * d, BYTES_PER_ELEMENT[dtype]));
  }

  async close(): Promise<void> {}
}

function standardDeviation(name: string, shape: readonly number[], layers: number): number {
  const fanIn = shape[1] ?? 1;
  const intoResidual = name.endsWith('o_proj.weight') || name.endsWith('down_proj.weight');
  return 1 / Math.sqrt(fanIn * (intoResidual ? 2 * layers : 1));
}

/** The first 53 bits of the text's sha256: as many as a number holds. */
function seedOf(text: string): number {
  return Number(BigInt(`0x${sha256(text).slice(0, 16)}`) >> 11n);
}
