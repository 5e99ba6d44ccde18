import { type Backend, BYTES_PER_ELEMENT, type FloatDType, type Tensor } from '../../../native/backend.ts';
import type { ModelConfig } from '../config.ts';
import { EMBEDDING, FINAL_NORM, LM_HEAD, layerName } from './weight-names.ts';
import type { WeightSource } from './weight-source.ts';

/** One layer's weights on a backend. Matrices are [out, in] as in the checkpoint; norms and biases are f32. */
export interface LayerWeights {
  readonly inputNorm: Tensor; // [C]
  readonly qkv: Tensor; // [(H + 2 Hkv) D, C]: q, then k, then v
  readonly qkvBias: Tensor | null; // [(H + 2 Hkv) D]
  readonly qNorm: Tensor | null; // [D]
  readonly kNorm: Tensor | null; // [D]
  readonly output: Tensor; // [C, H D]
  readonly outputBias: Tensor | null; // [C]
  readonly postNorm: Tensor; // [C]
  readonly gateUp: Tensor; // [2F, C]: gate, then up
  readonly gateUpBias: Tensor | null; // [2F]
  readonly down: Tensor; // [C, F]
  readonly downBias: Tensor | null; // [C]
}

export interface ModelWeights {
  readonly embedding: Tensor; // [V, C]
  readonly layers: readonly LayerWeights[];
  readonly finalNorm: Tensor; // [C]
  readonly lmHead: Tensor; // [V, C]; the embedding itself when tied
  /** Every tensor owned, for disposal and counting. */
  readonly owned: readonly Tensor[];
}

export interface WeightProgress {
  readonly bytesDone: number;
  readonly bytesTotal: number;
}

/**
 * Written data are copied and wait in host memory for the stream, which may lag behind. The stream is awaited after this many bytes, so
 * that host memory stays bounded.
 */
const SYNCHRONIZE_BYTES = 64 * 2 ** 20;

/**
 * Copies a source's tensors to `backend`; q|k|v and gate|up become one matrix each. Matrices are stored as `dtype`, vectors as f32. Host
 * memory holds what the source has in flight (a chunk of rows), and at most SYNCHRONIZE_BYTES that the stream has not taken yet. On failure
 * everything that was allocated is freed. The source must have the tensors that the configuration needs, in their shapes.
 * @throws MoaError OUT_OF_MEMORY, or what reading the source throws.
 */
export async function loadWeights(options: {
  readonly config: ModelConfig;
  readonly source: WeightSource;
  readonly backend: Backend;
  readonly dtype: FloatDType;
  readonly onProgress?: ((progress: WeightProgress) => void) | undefined;
}): Promise<ModelWeights> {
  const loader = new WeightLoader(options);
  try {
    const embedding = await loader.matrix([EMBEDDING]);
    const layers: LayerWeights[] = [];
    for (let l = 0; l < options.config.layers; l++) layers.push(await loadLayer(loader, options.config, l));
    const finalNorm = await loader.vector([FINAL_NORM]);
    const lmHead = options.config.tiedEmbeddings ? embedding : await loader.matrix([LM_HEAD]);
    await options.backend.synchronize();
    return { embedding, layers, finalNorm, lmHead, owned: loader.owned };
  } catch (error) {
    for (const tensor of loader.owned) tensor.dispose();
    throw error;
  }
}

async function loadLayer(loader: WeightLoader, config: ModelConfig, layer: number): Promise<LayerWeights> {
  const name = (suffix: string): string => layerName(layer, suffix);
  const projections = ['q', 'k', 'v'].map((p) => name(`self_attn.${p}_proj`));
  const mlp = ['gate', 'up'].map((p) => name(`mlp.${p}_proj`));
  const vectorIf = async (condition: boolean, names: readonly string[]): Promise<Tensor | null> =>
    condition ? loader.vector(names) : null;
  return {
    inputNorm: await loader.vector([name('input_layernorm.weight')]),
    qkv: await loader.matrix(projections.map((p) => `${p}.weight`)),
    qkvBias: await vectorIf(
      config.attentionBias,
      projections.map((p) => `${p}.bias`),
    ),
    qNorm: await vectorIf(config.qkNorm, [name('self_attn.q_norm.weight')]),
    kNorm: await vectorIf(config.qkNorm, [name('self_attn.k_norm.weight')]),
    output: await loader.matrix([name('self_attn.o_proj.weight')]),
    outputBias: await vectorIf(config.outputBias, [name('self_attn.o_proj.bias')]),
    postNorm: await loader.vector([name('post_attention_layernorm.weight')]),
    gateUp: await loader.matrix(mlp.map((p) => `${p}.weight`)),
    gateUpBias: await vectorIf(
      config.mlpBias,
      mlp.map((p) => `${p}.bias`),
    ),
    down: await loader.matrix([name('mlp.down_proj.weight')]),
    downBias: await vectorIf(config.mlpBias, [name('mlp.down_proj.bias')]),
  };
}

class WeightLoader {
  readonly owned: Tensor[] = [];
  readonly #source: WeightSource;
  readonly #backend: Backend;
  readonly #dtype: FloatDType;
  readonly #onProgress: ((progress: WeightProgress) => void) | undefined;
  readonly #bytesTotal: number;
  #bytesDone = 0;
  #unsynchronized = 0;

  constructor(options: {
    readonly config: ModelConfig;
    readonly source: WeightSource;
    readonly backend: Backend;
    readonly dtype: FloatDType;
    readonly onProgress?: ((progress: WeightProgress) => void) | undefined;
  }) {
    this.#source = options.source;
    this.#backend = options.backend;
    this.#dtype = options.dtype;
    this.#onProgress = options.onProgress;
    this.#bytesTotal = weightElements(options.config) * BYTES_PER_ELEMENT[options.source.describe(EMBEDDING).dtype];
  }

  /** Checkpoint matrices stacked along their rows as one tensor of the model's weight dtype. */
  async matrix(names: readonly string[]): Promise<Tensor> {
    return this.#stack(names, this.#dtype);
  }

  /** Checkpoint vectors one after the other as one f32 tensor: they are small, and rounding them would gain nothing. */
  async vector(names: readonly string[]): Promise<Tensor> {
    return this.#stack(names, 'f32');
  }

  async #stack(names: readonly string[], dtype: FloatDType): Promise<Tensor> {
    const shapes = names.map((name) => this.#source.describe(name).shape);
    const rows = shapes.reduce((sum, shape) => sum + (shape[0] ?? 0), 0);
    const tensor = this.#backend.tensor(dtype, [rows, ...(shapes[0] ?? []).slice(1)], 'weights');
    this.owned.push(tensor);
    let row = 0;
    for (const [i, name] of names.entries()) {
      const count = shapes[i]?.[0] ?? 0;
      await this.#source.copyTo(name, tensor.rows(row, count), (bytes) => this.#advance(bytes));
      row += count;
    }
    return tensor;
  }

  async #advance(bytes: number): Promise<void> {
    this.#bytesDone += bytes;
    this.#unsynchronized += bytes;
    if (this.#unsynchronized >= SYNCHRONIZE_BYTES) {
      this.#unsynchronized = 0;
      await this.#backend.synchronize();
    }
    this.#onProgress?.({ bytesDone: Math.min(this.#bytesDone, this.#bytesTotal), bytesTotal: this.#bytesTotal });
  }
}

/** Number of parameters of a model of this configuration. */
export function weightElements(config: ModelConfig): number {
  const { hiddenSize: C, intermediateSize: F, vocabSize: V, headDim: D } = config;
  const [q, kv] = [config.heads * D, config.kvHeads * D];
  const layer =
    2 * C +
    (q + 2 * kv) * C +
    C * q +
    3 * F * C +
    (config.attentionBias ? q + 2 * kv : 0) +
    (config.outputBias ? C : 0) +
    (config.mlpBias ? 2 * F + C : 0) +
    (config.qkNorm ? 2 * D : 0);
  return config.layers * layer + C + V * C * (config.tiedEmbeddings ? 1 : 2);
}
