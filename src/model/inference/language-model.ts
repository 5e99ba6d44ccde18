import { MoaError } from '../../core/errors.ts';
import { type Backend, BYTES_PER_ELEMENT, type FloatDType, type Tensor } from '../../native/backend.ts';
import type { ModelConfig } from '../format/config.ts';
import type { ChatTemplate, TemplateFacts } from '../format/template/chat-template.ts';
import type { Tokenizer } from '../format/tokenizer/tokenizer.ts';
import type { ModelWeights } from '../format/weights/weights.ts';
import { ropeDependsOnLength, ropeFrequencies } from './rope-frequencies.ts';
import { Workspace } from './workspace.ts';

/** Default for the rows of activations at once: enough to keep a GEMM busy, and few enough that they stay small beside the weights. */
const BLOCK_ROWS = 1024;
/**
 * The same for a GPU, which needs more rows to be busy and pays for new launches with every block. They take 1 GB for a 7B model in 16
 * bits.
 */
const HALF_BLOCK_ROWS = 8192;

export interface LanguageModelParts {
  readonly name: string;
  readonly config: ModelConfig;
  readonly backend: Backend;
  readonly activationDType: FloatDType;
  readonly weights: ModelWeights;
  readonly weightsHash: string;
  readonly tokenizer: Tokenizer | null;
  readonly chatTemplate: ChatTemplate | null;
}

/** A causal language model on a backend. Made by `loadModel`; its owner calls `dispose`. */
export class LanguageModel {
  readonly name: string;
  readonly config: ModelConfig;
  readonly backend: Backend;
  /** Dtype of all activations except the residual stream and the logits, which are f32. */
  readonly activationDType: FloatDType;
  readonly weights: ModelWeights;
  /** sha256 over config.json and the weight files (or over the dummy's specification): the model's identity in records. */
  readonly weightsHash: string;
  readonly chatTemplate: ChatTemplate | null;
  /** Bytes of weights on the backend. */
  readonly weightBytes: number;
  readonly rope: RopeTensor;
  /** Activations of chunks and steps. */
  readonly workspace: Workspace;
  /** Activations of the few rows for which the last layer is computed to its end. */
  readonly rowWorkspace: Workspace;
  readonly #tokenizer: Tokenizer | null;

  constructor(parts: LanguageModelParts) {
    this.name = parts.name;
    this.config = parts.config;
    this.backend = parts.backend;
    this.activationDType = parts.activationDType;
    this.weights = parts.weights;
    this.weightsHash = parts.weightsHash;
    this.chatTemplate = parts.chatTemplate;
    this.#tokenizer = parts.tokenizer;
    this.weightBytes = parts.weights.owned.reduce((sum, t) => sum + t.shape.reduce((n, d) => n * d, BYTES_PER_ELEMENT[t.dtype]), 0);
    this.rope = new RopeTensor(parts.config, parts.backend);
    this.workspace = new Workspace(parts.config, parts.backend, parts.activationDType);
    this.rowWorkspace = new Workspace(parts.config, parts.backend, parts.activationDType);
  }

  /** @throws MoaError UNSUPPORTED for a dummy model without a tokenizer.json. */
  get tokenizer(): Tokenizer {
    return requireTokenizer(this.name, this.#tokenizer);
  }

  /** Rows of a prefill chunk, or of an MLP while profiling, when nothing else is asked for. */
  get blockRows(): number {
    return this.backend.traits.halfActivations ? HALF_BLOCK_ROWS : BLOCK_ROWS;
  }

  /**
   * What decides the text of the model's conversations; null where it has no chat template. It is part of the identity of what is scored.
   */
  get template(): TemplateFacts | null {
    return this.chatTemplate?.facts ?? null;
  }

  get hasTokenizer(): boolean {
    return this.#tokenizer !== null;
  }

  /** Frees activation buffers; the next call makes them again. */
  releaseWorkspace(): void {
    this.workspace.dispose();
    this.rowWorkspace.dispose();
  }

  dispose(): void {
    this.releaseWorkspace();
    for (const tensor of this.weights.owned) tensor.dispose();
    this.rope.dispose();
  }
}

/** The model's RoPE frequencies on the backend, rewritten (in stream order) when a length-dependent scaling asks for another length. */
export class RopeTensor {
  readonly inverseFrequencies: Tensor; // f32 [D / 2]
  readonly dependsOnLength: boolean;
  readonly #config: ModelConfig;
  #scale: number;
  #effectiveTokens = 0;

  constructor(config: ModelConfig, backend: Backend) {
    this.#config = config;
    this.dependsOnLength = ropeDependsOnLength(config);
    this.inverseFrequencies = backend.tensor('f32', [config.headDim / 2], 'weights');
    const { inverseFrequencies, attentionFactor } = ropeFrequencies(config, 0);
    this.inverseFrequencies.write(inverseFrequencies);
    this.#scale = attentionFactor;
  }

  /** Factor on cos and sin. */
  get scale(): number {
    return this.#scale;
  }

  /** Sets the frequencies to those of a sequence of `tokens` tokens, for the ops that are enqueued afterwards. */
  setLength(tokens: number): void {
    const effective = this.dependsOnLength ? Math.max(0, tokens - this.#config.maxPositions) : 0;
    if (effective === this.#effectiveTokens) return;
    this.#effectiveTokens = effective;
    const { inverseFrequencies, attentionFactor } = ropeFrequencies(this.#config, tokens);
    this.inverseFrequencies.write(inverseFrequencies);
    this.#scale = attentionFactor;
  }

  dispose(): void {
    this.inverseFrequencies.dispose();
  }
}

/** The tokenizer of the model of this name. @throws MoaError UNSUPPORTED where it has none. */
export function requireTokenizer(name: string, tokenizer: Tokenizer | null): Tokenizer {
  if (tokenizer !== null) return tokenizer;
  throw new MoaError(`Expected a tokenizer.json for the model ${name} but its folder has none`, {
    code: 'UNSUPPORTED',
    hint: 'A dummy model takes the tokenizer.json beside its config.json; put one there, or use token ids.',
  });
}
