import type { Tensor3D, Tensor as TfTensor } from '@tensorflow/tfjs-core';
import { BLOCK_TOKENS } from '../core/blocks.ts';
import { invalidArgument } from '../core/errors.ts';
import type { AttentionBackwardParams, InfluenceParams } from '../native/backend.ts';
import { causalMask, checkQkv, denseAttention, type Qkv, repeatKvHeads } from './dense-attention.ts';
import { finite, type OpContext, parseSegments, type Segment } from './op-context.ts';
import type { ReferenceTensor } from './reference-tensor.ts';

/** Gradients of dense causal attention by automatic differentiation; neither the given output nor its log-sum-exp is used. */
export function attentionBackward(context: OpContext, params: AttentionBackwardParams): void {
  const { tf } = context;
  const qkv = checkQkv(context, params);
  checkForward(context, params, qkv);
  const gradients = (['q', 'k', 'v'] as const).map((name) => {
    const argument = `grad${name.toUpperCase()}` as 'gradQ' | 'gradK' | 'gradV';
    return context.float(params[argument], argument, qkv[name].shape);
  });
  const scale = finite(params.scale, 'scale');
  for (const { rowStart, rowCount } of parseSegments(params.segments, qkv.tokens)) {
    tf.tidy(() => {
      const mask = causalMask(tf, qkv.heads, rowCount);
      const forward = (q: TfTensor, k: TfTensor, v: TfTensor): Tensor3D => {
        const [allK, allV] = [repeatKvHeads(tf, k as Tensor3D, qkv.heads), repeatKvHeads(tf, v as Tensor3D, qkv.heads)];
        return denseAttention(tf, { q: q as Tensor3D, k: allK, v: allV }, { mask, scale }).out;
      };
      const inputs = [qkv.q, qkv.k, qkv.v].map((x) => context.loadHeads(x, rowStart, rowCount));
      const gradOut = context.loadHeads(params.gradOut as ReferenceTensor, rowStart, rowCount);
      const found = tf.grads(forward)(inputs, gradOut) as Tensor3D[];
      gradients.forEach((tensor, i) => {
        context.storeHeads(tensor, rowStart, found[i] as Tensor3D);
      });
    });
  }
}

/** Influence by distance from materialized attention matrices A and G [H, N, N] (MoA Eq. 3; docs/method.md, influence). */
export function influence(context: OpContext, params: InfluenceParams): void {
  const qkv = checkQkv(context, params);
  checkForward(context, params, qkv);
  const segments = parseSegments(params.segments, qkv.tokens);
  const needed = Math.ceil(Math.max(...segments.map((segment) => segment.rowCount)) / BLOCK_TOKENS);
  const bins = params.elementwise.shape[1] ?? 0;
  const sums = (['elementwise', 'elementwiseSink', 'joint'] as const).map((name) => context.f32(params[name], name, [qkv.kvHeads, bins]));
  if (bins < needed) throw invalidArgument(`at least ${needed} bins of ${BLOCK_TOKENS} tokens`, 'elementwise', bins);
  const [elementwise, elementwiseSink, joint] = sums.map((tensor) => Float64Array.from(tensor.load())) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const scale = finite(params.scale, 'scale');
  if (!(Number.isInteger(params.sink) && params.sink >= 0)) throw invalidArgument('an integer of at least 0', 'sink', params.sink);
  const epsilon = finite(params.epsilon, 'epsilon');
  for (const segment of segments) {
    const matrices = attentionMatrices(context, qkv, { segment, scale, gradOut: params.gradOut as ReferenceTensor });
    for (let head = 0; head < qkv.heads; head++) {
      const n = segment.rowCount;
      const [a, g] = [matrices.a, matrices.g].map((x) => x.subarray(head * n * n, (head + 1) * n * n)) as [Float32Array, Float32Array];
      const at = Math.floor((head * qkv.kvHeads) / qkv.heads) * bins;
      const target = (sum: Float64Array): Float64Array => sum.subarray(at, at + bins);
      addElementwise({ a, g, n, sink: params.sink, epsilon }, target(elementwise), target(elementwiseSink));
      addJoint({ a, g, n, sink: params.sink }, target(joint));
    }
  }
  sums.forEach((tensor, i) => {
    tensor.store(Float32Array.from([elementwise, elementwiseSink, joint][i] as Float64Array));
  });
}

interface Matrices {
  readonly a: Float32Array; // [N, N] probabilities
  readonly g: Float32Array; // [N, N] dL/dA
  readonly n: number;
  readonly sink: number;
}

/** Adds |E_ij| to the bin of i - j; sink columns have sums of their own. */
function addElementwise(matrices: Matrices & { readonly epsilon: number }, far: Float64Array, sinks: Float64Array): void {
  const { a, g, n, sink, epsilon } = matrices;
  for (let i = 0; i < n; i++) {
    const delta = rowDelta(matrices, i);
    for (let j = 0; j <= i; j++) {
      const [aij, gij] = [a[i * n + j] as number, g[i * n + j] as number];
      const plain = i === 0 ? aij * gij : (aij * (gij - delta)) / (epsilon + 1 - aij);
      const influenceOf = i > 0 && aij > 0.5 ? dominantInfluence(matrices, i, j) : plain;
      const target = j < sink ? sinks : far;
      const bin = Math.floor((i - j) / BLOCK_TOKENS);
      target[bin] = (target[bin] as number) + Math.abs(influenceOf);
    }
  }
}

/**
 * E of a key that has most of its row's probability, where G - delta and 1 - A would cancel. With R and Q, the sums of A and of A G over
 * the row's other keys, they equal G R - Q and R.
 */
function dominantInfluence({ a, g, n, epsilon }: Matrices & { readonly epsilon: number }, row: number, key: number): number {
  const [aij, gij] = [a[row * n + key] as number, g[row * n + key] as number];
  let [others, othersG] = [0, 0];
  for (let k = 0; k <= row; k++) {
    if (k === key) continue;
    others += a[row * n + k] as number;
    othersG += (a[row * n + k] as number) * (g[row * n + k] as number);
  }
  const total = aij + others;
  const moved = aij * (gij * others - othersG);
  const scale = total * (epsilon * total + others);
  return scale > 0 ? moved / scale : moved; // scale 0: no epsilon and nothing to move
}

/** Adds |renormalized A.G without the far part - delta| of every row to each bin; the query's own key is always kept. */
function addJoint(matrices: Matrices, joint: Float64Array): void {
  const { a, g, n, sink } = matrices;
  for (let bin = 0; bin < joint.length; bin++) {
    for (let i = 0; i < n; i++) {
      let [kept, keptG] = [0, 0];
      for (let j = 0; j <= i; j++) {
        if (j >= sink && i - j >= Math.max(1, BLOCK_TOKENS * bin)) continue;
        kept += a[i * n + j] as number;
        keptG += (a[i * n + j] as number) * (g[i * n + j] as number);
      }
      const average = kept > 0 ? keptG / kept : (g[i * n + i] as number); // where all else underflowed, only the query's own key is left
      joint[bin] = (joint[bin] as number) + Math.abs(average - rowDelta(matrices, i));
    }
  }
}

function rowDelta({ a, g, n }: Matrices, row: number): number {
  let delta = 0;
  for (let j = 0; j <= row; j++) delta += (a[row * n + j] as number) * (g[row * n + j] as number);
  return delta;
}

function attentionMatrices(
  context: OpContext,
  qkv: Qkv,
  options: { readonly segment: Segment; readonly scale: number; readonly gradOut: ReferenceTensor },
): { readonly a: Float32Array; readonly g: Float32Array } {
  const { tf } = context;
  const { rowStart, rowCount } = options.segment;
  const [q, dO] = [qkv.q, options.gradOut].map((x) => context.loadHeads(x, rowStart, rowCount)) as [Tensor3D, Tensor3D];
  const [k, v] = [qkv.k, qkv.v].map((x) => repeatKvHeads(tf, context.loadHeads(x, rowStart, rowCount), qkv.heads)) as [Tensor3D, Tensor3D];
  const { probabilities } = denseAttention(tf, { q, k, v }, { mask: causalMask(tf, qkv.heads, rowCount), scale: options.scale });
  return { a: probabilities.dataSync<'float32'>(), g: tf.matMul(dO, v, false, true).dataSync<'float32'>() };
}

function checkForward(context: OpContext, params: AttentionBackwardParams | InfluenceParams, qkv: Qkv): void {
  context.float(params.out, 'out', qkv.q.shape);
  context.float(params.gradOut, 'gradOut', qkv.q.shape);
  context.f32(params.logSumExp, 'logSumExp', [qkv.tokens, qkv.heads]);
}
