import { invalidArgument } from '../../core/errors.ts';
import type { Tensor } from '../../native/backend.ts';
import { orAborted, throwIfAborted } from './abort.ts';
import type { ModelCache } from './caches.ts';
import type { LanguageModel } from './language-model.ts';
import { attentionScale, inputNorm, outputAndMlp, projectQkv } from './layer.ts';
import type { Activations } from './workspace.ts';

/** Rows whose logits are held at once: 256 rows of a vocabulary of 128k are 131 MB. */
export const LOGIT_ROWS = 256;

export interface PrefillOptions {
  readonly cache: ModelCache;
  readonly sequence: number;
  /** They are appended after the tokens that the sequence has. */
  readonly tokens: Int32Array;
  /** Default: the model's `blockRows`. */
  readonly chunkTokens?: number;
  /** Which rows of `tokens` are wanted: ascending indices, or the last (default). */
  readonly rows?: 'last' | Int32Array;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs tokens through the model into the cache, in chunks of bounded workspace, and gives the wanted rows of the final norm's output,
 * [rows, C] in the activation dtype, owned by the caller. The last layer computes keys and values of all rows, and the rest for the wanted
 * rows only.
 * @throws MoaError INVALID_ARGUMENT, ABORTED (between chunks), OUT_OF_MEMORY, UNSUPPORTED (sliding window).
 */
export async function prefillHidden(model: LanguageModel, options: PrefillOptions): Promise<Tensor> {
  const { cache, sequence, tokens, signal } = options;
  const chunkTokens = options.chunkTokens ?? model.blockRows;
  checkTokens(model, tokens);
  if (!Number.isInteger(chunkTokens) || chunkTokens < 1) throw invalidArgument('a positive integer', 'chunkTokens', chunkTokens);
  const rows = wantedRows(options);
  const ids = model.backend.tensor('i32', [tokens.length]);
  const hidden = model.backend.tensor(model.activationDType, [rows.length, model.config.hiddenSize]);
  try {
    ids.write(tokens);
    const totalTokens = cache.length(sequence) + tokens.length;
    let taken = 0;
    for (let start = 0; start < tokens.length; start += chunkTokens) {
      throwIfAborted(signal);
      const count = Math.min(chunkTokens, tokens.length - start);
      const from = taken;
      while (taken < rows.length && (rows[taken] ?? 0) < start + count) taken++;
      const chunkRows = rows.subarray(from, taken).map((row) => row - start);
      model.rope.setLength(totalTokens);
      enqueueChunk(model, {
        cache,
        sequence,
        ids: ids.rows(start, count),
        rows: chunkRows,
        hidden: taken > from ? hidden.rows(from, taken - from) : null,
      });
      await orAborted(model.backend.synchronize(), signal);
    }
    return hidden;
  } catch (error) {
    hidden.dispose();
    throw error;
  } finally {
    ids.dispose();
  }
}

/** Logits f32 [rows * vocab] of the wanted rows, row-major. As `prefillHidden`. With a large vocabulary, ask for few rows. */
export async function prefill(model: LanguageModel, options: PrefillOptions): Promise<Float32Array> {
  const hidden = await prefillHidden(model, options);
  try {
    const out = new Float32Array((hidden.shape[0] ?? 0) * model.config.vocabSize);
    await forEachLogits(model, hidden, async (logits, start) => {
      out.set((await orAborted(logits.read(), options.signal)) as Float32Array, start * model.config.vocabSize);
    });
    return out;
  } finally {
    hidden.dispose();
  }
}

/** Calls `use` with logits f32 [n, V] of consecutive rows of `hidden` [R, C], at most LOGIT_ROWS at a time; the tensor is reused. */
export async function forEachLogits(
  model: LanguageModel,
  hidden: Tensor,
  use: (logits: Tensor, start: number) => Promise<void> | void,
): Promise<void> {
  const total = hidden.shape[0] ?? 0;
  const buffer = model.backend.tensor('f32', [Math.min(total, LOGIT_ROWS), model.config.vocabSize]);
  try {
    for (let start = 0; start < total; start += LOGIT_ROWS) {
      const count = Math.min(LOGIT_ROWS, total - start);
      const logits = buffer.rows(0, count);
      model.backend.gemm({ a: hidden.rows(start, count), b: model.weights.lmHead, out: logits, transposeB: true });
      await use(logits, start);
    }
  } finally {
    buffer.dispose();
  }
}

interface Chunk {
  readonly cache: ModelCache;
  readonly sequence: number;
  readonly ids: Tensor; // i32 [T]
  readonly rows: Int32Array; // of the chunk
  readonly hidden: Tensor | null; // [rows, C]; null when no row is wanted
}

function enqueueChunk(model: LanguageModel, chunk: Chunk): void {
  const { backend, weights, rope } = model;
  const { cache, sequence } = chunk;
  const count = chunk.ids.shape[0] ?? 0;
  const segments = Int32Array.of(0, count, cache.length(sequence), sequence);
  const x = model.workspace.activations(count);
  const scale = attentionScale(model);
  backend.embedding({ ids: chunk.ids, table: weights.embedding, out: x.residual });
  for (const [l, layer] of weights.layers.entries()) {
    inputNorm(model, layer.inputNorm, x, l === 0);
    projectQkv(model, layer, x);
    backend.rope({ q: x.q, k: x.k, segments, inverseFrequencies: rope.inverseFrequencies, scale: rope.scale });
    const isLast = l === weights.layers.length - 1;
    // Nothing needs the last layer's output of a row that is not wanted, but its keys and values are needed.
    if (!isLast || chunk.hidden !== null) {
      backend.attentionPrefill({ q: x.q, k: x.k, v: x.v, out: x.attentionHeads, segments, scale, cache: cache.kv, layer: l });
    }
    backend.cacheAppend({ cache: cache.kv, layer: l, k: x.k, v: x.v, segments });
    if (!isLast) outputAndMlp(model, layer, x);
  }
  cache.advance(Int32Array.of(sequence), Int32Array.of(count));
  if (chunk.hidden !== null) finishRows(model, { x, rows: chunk.rows, hidden: chunk.hidden });
}

/** The last layer after attention and the final norm, for the wanted rows only. */
function finishRows(model: LanguageModel, at: { readonly x: Activations; readonly rows: Int32Array; readonly hidden: Tensor }): void {
  const { backend, weights } = model;
  const y = model.rowWorkspace.activations(at.rows.length);
  backend.gatherRows({ x: at.x.attention, out: y.attention, rows: at.rows });
  backend.gatherRows({ x: at.x.residual, out: y.residual, rows: at.rows });
  const last = weights.layers.at(-1);
  if (last !== undefined) outputAndMlp(model, last, y);
  backend.rmsNorm({ x: y.normed, weight: weights.finalNorm, out: at.hidden, residual: y.residual, epsilon: model.config.rmsNormEpsilon });
}

function wantedRows(options: PrefillOptions): Int32Array {
  const { tokens, rows = 'last' } = options;
  if (rows === 'last') return Int32Array.of(tokens.length - 1);
  if (rows.length === 0 || rows.some((row, i) => row < 0 || row >= tokens.length || (i > 0 && row <= (rows[i - 1] ?? -1)))) {
    throw invalidArgument(`ascending indices below ${tokens.length}`, 'rows', [...rows.subarray(0, 32)]);
  }
  return rows;
}

/** @throws MoaError INVALID_ARGUMENT when there are none or one is outside the vocabulary. */
export function checkTokens(model: LanguageModel, tokens: Int32Array): void {
  if (tokens.length === 0) throw invalidArgument('at least one token', 'tokens', []);
  const bad = tokens.find((t) => t < 0 || t >= model.config.vocabSize);
  if (bad !== undefined) throw invalidArgument(`token ids below ${model.config.vocabSize}`, 'tokens', bad);
}
