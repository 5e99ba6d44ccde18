import type { Graph, Tensor } from '../../native/backend.ts';
import type { ModelCache } from './caches.ts';
import type { LanguageModel } from './language-model.ts';
import { attentionScale, inputNorm, outputAndMlp, projectQkv } from './layer.ts';
import type { Activations } from './workspace.ts';

export interface DecodeOptions {
  readonly cache: ModelCache;
  readonly sequences: Int32Array;
  /** The newest token of each sequence, which is not in the cache yet. */
  readonly lastTokens: Int32Array;
  /** `on` (default): steps are replayed from a recording where backend, cache and RoPE allow it. `off`: every op is enqueued every time. */
  readonly graph?: 'on' | 'off' | undefined;
}

/**
 * Greedy decoding of a fixed set of cache sequences. Token ids stay on the device: the argmax of a step is what the next step embeds,
 * so steps can be enqueued ahead of what the host has read.
 */
export class DecodeSession {
  readonly #model: LanguageModel;
  readonly #cache: ModelCache;
  readonly #sequences: Int32Array;
  readonly #ones: Int32Array;
  readonly #ids: Tensor; // i32 [B]: embedded when a step begins, written when it ends
  readonly #logits: Tensor; // f32 [B, V]
  readonly #records: boolean;
  #isFirst = true;
  #graph: Graph | null = null;

  constructor(model: LanguageModel, options: DecodeOptions) {
    this.#model = model;
    this.#cache = options.cache;
    this.#sequences = options.sequences;
    const batch = options.sequences.length;
    this.#ones = new Int32Array(batch).fill(1);
    this.#records = (options.graph ?? 'on') === 'on' && canRecord(model, options.cache);
    this.#ids = model.backend.tensor('i32', [batch]);
    this.#logits = model.backend.tensor('f32', [batch, model.config.vocabSize]);
    this.#ids.write(options.lastTokens);
  }

  /** Enqueues one step of every sequence; the promise gives their next tokens (int32 [B]) once the stream gets there. */
  step(): Promise<Int32Array> {
    // The first step makes all allocations and choices of algorithms, which must not fall into a recording.
    if (this.#records && !this.#isFirst) this.#replay();
    else this.#enqueue(this.#activations());
    this.#isFirst = false;
    this.#cache.advance(this.#sequences, this.#ones);
    return this.#ids.read() as Promise<Int32Array>;
  }

  dispose(): void {
    this.#graph?.dispose();
    this.#ids.dispose();
    this.#logits.dispose();
  }

  #replay(): void {
    const x = this.#activations();
    this.#graph ??= this.#model.backend.capture(() => this.#enqueue(x));
    this.#graph.replay();
  }

  #activations(): Activations {
    return this.#model.workspace.activations(this.#sequences.length);
  }

  /** Enqueues a step from the embedding to the argmax, without the cache's advance, which cannot be recorded. */
  #enqueue(x: Activations): void {
    const model = this.#model;
    const { backend, weights, config } = model;
    const scale = attentionScale(model);
    backend.embedding({ ids: this.#ids, table: weights.embedding, out: x.residual });
    weights.layers.forEach((w, layer) => {
      inputNorm(model, w.inputNorm, x, layer === 0);
      projectQkv(model, w, x);
      this.#append(layer, x);
      backend.attentionDecode({ cache: this.#cache.kv, layer, q: x.q, out: x.attentionHeads, sequences: this.#sequences, scale });
      outputAndMlp(model, w, x);
    });
    backend.rmsNorm({ x: x.normed, weight: weights.finalNorm, out: x.normed, residual: x.residual, epsilon: config.rmsNormEpsilon });
    backend.gemm({ a: x.normed, b: weights.lmHead, out: this.#logits, transposeB: true });
    backend.argmax({ logits: this.#logits, out: this.#ids });
  }

  /** RoPE and append. Frequencies that depend on the length (dynamic NTK) are set for each sequence's own length, as transformers does. */
  #append(layer: number, { q, k, v }: Activations): void {
    const { backend, rope } = this.#model;
    const cache = this.#cache.kv;
    const { inverseFrequencies } = rope;
    if (!rope.dependsOnLength) {
      backend.decodeAppend({ cache, layer, inverseFrequencies, q, k, v, sequences: this.#sequences, scale: rope.scale });
      return;
    }
    this.#sequences.forEach((sequence, b) => {
      rope.setLength(this.#cache.length(sequence) + 1);
      const row = { q: q.rows(b, 1), k: k.rows(b, 1), v: v.rows(b, 1), sequences: this.#sequences.subarray(b, b + 1) };
      backend.decodeAppend({ cache, layer, inverseFrequencies, ...row, scale: rope.scale });
    });
  }
}

/**
 * Whether every step enqueues the same ops. With a growing cache it also allocates, and with length-dependent frequencies it rewrites them.
 */
function canRecord({ backend, rope }: LanguageModel, cache: ModelCache): boolean {
  return backend.traits.graphs && cache.kind !== 'dynamic' && !rope.dependsOnLength;
}
