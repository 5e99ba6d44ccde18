import type { Tensor } from '../native/backend.ts';
import type { ModelCache } from './caches.ts';
import type { LanguageModel } from './language-model.ts';
import { attentionScale, inputNorm, outputAndMlp, projectQkv } from './layer.ts';
import type { Activations } from './workspace.ts';

/**
 * Greedy decoding of a fixed set of cache sequences. Token ids stay on the device: the argmax of a step is what the next step embeds,
 * so steps can be enqueued ahead of what the host has read.
 */
export class DecodeSession {
  readonly #model: LanguageModel;
  readonly #cache: ModelCache;
  readonly #sequences: Int32Array;
  readonly #ones: Int32Array;
  readonly #ids: Tensor; // i32 [2, B]: one row embedded, the other written, in turn
  readonly #idRows: readonly [Tensor, Tensor]; // i32 [B]
  readonly #logits: Tensor; // f32 [B, V]
  #turn: 0 | 1 = 0;

  /** `lastTokens`: the newest token of each sequence, which is not in the cache yet. */
  constructor(
    model: LanguageModel,
    options: { readonly cache: ModelCache; readonly sequences: Int32Array; readonly lastTokens: Int32Array },
  ) {
    this.#model = model;
    this.#cache = options.cache;
    this.#sequences = options.sequences;
    const batch = options.sequences.length;
    this.#ones = new Int32Array(batch).fill(1);
    this.#ids = model.backend.tensor('i32', [2, batch]);
    this.#logits = model.backend.tensor('f32', [batch, model.config.vocabSize]);
    this.#idRows = [this.#ids.rows(0, 1).reshape([batch]), this.#ids.rows(1, 1).reshape([batch])];
    this.#idRows[0].write(options.lastTokens);
  }

  /** Enqueues one step of every sequence; the promise gives their next tokens (int32 [B]) once the stream gets there. */
  step(): Promise<Int32Array> {
    const { backend, weights, config } = this.#model;
    const [input, output] = this.#turn === 0 ? this.#idRows : [this.#idRows[1], this.#idRows[0]];
    this.#turn = this.#turn === 0 ? 1 : 0;
    const x = this.#model.workspace.activations(this.#sequences.length);
    const scale = attentionScale(this.#model);
    backend.embedding({ ids: input, table: weights.embedding, out: x.residual });
    for (const [layer, w] of weights.layers.entries()) {
      inputNorm(this.#model, w.inputNorm, x, layer === 0);
      projectQkv(this.#model, w, x);
      this.#append(layer, x);
      backend.attentionDecode({ cache: this.#cache.kv, layer, q: x.q, out: x.attentionHeads, sequences: this.#sequences, scale });
      outputAndMlp(this.#model, w, x);
    }
    backend.rmsNorm({ x: x.normed, weight: weights.finalNorm, out: x.normed, residual: x.residual, epsilon: config.rmsNormEpsilon });
    backend.gemm({ a: x.normed, b: weights.lmHead, out: this.#logits, transposeB: true });
    backend.argmax({ logits: this.#logits, out: output });
    this.#cache.advance(this.#sequences, this.#ones);
    return output.read() as Promise<Int32Array>;
  }

  dispose(): void {
    this.#ids.dispose();
    this.#logits.dispose();
  }

  /** RoPE and append. Frequencies that depend on the length (dynamic NTK) are set for each sequence's own length, as transformers does. */
  #append(layer: number, x: Activations): void {
    const { backend, rope } = this.#model;
    const common = { cache: this.#cache.kv, layer, inverseFrequencies: rope.inverseFrequencies };
    if (!rope.dependsOnLength) {
      backend.decodeAppend({ ...common, q: x.q, k: x.k, v: x.v, sequences: this.#sequences, scale: rope.scale });
      return;
    }
    this.#sequences.forEach((sequence, b) => {
      rope.setLength(this.#cache.length(sequence) + 1);
      const row = { q: x.q.rows(b, 1), k: x.k.rows(b, 1), v: x.v.rows(b, 1) };
      backend.decodeAppend({ ...common, ...row, sequences: Int32Array.of(sequence), scale: rope.scale });
    });
  }
}
