import type { Tensor2D, Tensor3D } from '@tensorflow/tfjs-core';
import { invalidArgument } from '../core/errors.ts';
import type { Tensor } from '../native/backend.ts';
import type { OpContext } from './op-context.ts';
import type { ReferenceTensor } from './reference-tensor.ts';
import type { Tf } from './tfjs-load.ts';

/** Which query sees which key, by absolute positions: j <= i and (j < sink or i - j < window). */
export interface MaskSpec {
  /** Position of the first query row. */
  readonly firstPosition: number;
  readonly queries: number;
  readonly keys: number;
  readonly sink: number;
  /** Window per query head, the query's own position included; Infinity for causal only. */
  readonly windows: readonly number[];
}

/** The mask as a boolean [H, queries, keys]. */
export function attentionMask(tf: Tf, spec: MaskSpec): Tensor3D {
  const { queries, keys, windows } = spec;
  const visible = new Uint8Array(windows.length * queries * keys);
  let at = 0;
  for (const window of windows) {
    for (let i = spec.firstPosition; i < spec.firstPosition + queries; i++) {
      for (let j = 0; j < keys; j++, at++) visible[at] = Number(j <= i && (j < spec.sink || i - j < window));
    }
  }
  return tf.tensor3d(visible, [windows.length, queries, keys], 'bool');
}

/** Causal mask of one segment that starts at its position 0. */
export function causalMask(tf: Tf, heads: number, tokens: number): Tensor3D {
  const windows = new Array<number>(heads).fill(Infinity);
  return attentionMask(tf, { firstPosition: 0, queries: tokens, keys: tokens, sink: 0, windows });
}

/** Each KV head [Hkv, N, D] repeated for its query heads: [H, N, D]. */
export function repeatKvHeads(tf: Tf, x: Tensor3D, heads: number): Tensor3D {
  const [kvHeads] = x.shape;
  if (kvHeads === heads) return x;
  const each = Array.from({ length: kvHeads }, (_, head) => x.slice<Tensor3D>([head, 0, 0], [1, -1, -1]));
  const repeated = each.flatMap((head) => new Array<Tensor3D>(heads / kvHeads).fill(head));
  return tf.concat(repeated, 0);
}

/**
 * v [H, keys, D] with zeros for the keys that the mask [H, queries, keys] hides from every query. A NaN of an evicted key would otherwise
 * reach the output, because 0 * NaN is NaN.
 */
export function withoutUnseen(tf: Tf, v: Tensor3D, mask: Tensor3D): Tensor3D {
  if (!v.dataSync<'float32'>().includes(Number.NaN)) return v;
  const seen = tf.any(mask, 1).expandDims(2).tile([1, 1, v.shape[2]]);
  return tf.where(seen, v, tf.zerosLike(v));
}

/** Scaled scores [H, queries, keys], -infinity where masked. q [H, queries, D], k [H, keys, D]. */
function maskedScores(tf: Tf, q: Tensor3D, k: Tensor3D, options: { readonly mask: Tensor3D; readonly scale: number }): Tensor3D {
  const scores = tf.matMul(q, k, false, true).mul<Tensor3D>(options.scale);
  return tf.where(options.mask, scores, tf.fill(scores.shape, -Infinity));
}

/** softmax(masked q.k) v, [H, queries, D], the probabilities [H, queries, keys] and their log-sum-exp [H, queries]. */
export function denseAttention(
  tf: Tf,
  qkv: { readonly q: Tensor3D; readonly k: Tensor3D; readonly v: Tensor3D },
  options: { readonly mask: Tensor3D; readonly scale: number },
): { readonly out: Tensor3D; readonly probabilities: Tensor3D; readonly logSumExp: () => Tensor2D } {
  const scores = maskedScores(tf, qkv.q, qkv.k, options);
  const probabilities = tf.softmax(scores);
  return { out: tf.matMul(probabilities, qkv.v), probabilities, logSumExp: () => tf.logSumExp(scores, 2) };
}

export interface Qkv {
  readonly q: ReferenceTensor;
  readonly k: ReferenceTensor;
  readonly v: ReferenceTensor;
  readonly tokens: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
}

/** The checked q [T, H, D], k and v [T, Hkv, D] of an attention op. */
export function checkQkv(context: OpContext, params: { readonly q: Tensor; readonly k: Tensor; readonly v: Tensor }): Qkv {
  const q = context.float(params.q, 'q', ['any', 'any', 'any']);
  const [tokens, heads, headDim] = q.shape as readonly [number, number, number];
  const k = context.float(params.k, 'k', [tokens, 'any', headDim]);
  const kvHeads = k.shape[1] as number;
  const v = context.float(params.v, 'v', k.shape);
  if (heads % kvHeads !== 0) throw invalidArgument(`a divisor of the ${heads} query heads`, 'k', kvHeads);
  return { q, k, v, tokens, heads, kvHeads, headDim };
}
