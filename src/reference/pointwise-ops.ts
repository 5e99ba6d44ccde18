import type { Tensor2D, Tensor3D, Tensor as TfTensor } from '@tensorflow/tfjs-core';
import { invalidArgument } from '../core/errors.ts';
import type { RmsNormBackwardParams, RmsNormParams, RopeParams, SiluMulBackwardParams, SiluMulParams } from '../native/backend.ts';
import { finite, type OpContext, parseSegments } from './op-context.ts';
import type { Tf } from './tfjs-load.ts';

/** x / sqrt(mean(x^2) + epsilon) * weight over the last dimension (Zhang & Sennrich 2019, Eq. 4). */
function normalize(tf: Tf, x: TfTensor, weight: TfTensor, epsilon: number): TfTensor {
  return x.mul(tf.rsqrt(x.square().mean(-1, true).add(epsilon))).mul(weight);
}

/** RMSNorm, after the residual add when there is one. */
export function rmsNorm(context: OpContext, params: RmsNormParams): void {
  const x = context.float(params.x, 'x');
  const weight = context.float(params.weight, 'weight', x.shape.slice(-1));
  const out = context.float(params.out, 'out', x.shape);
  const epsilon = checkEpsilon(params.epsilon);
  const residual = params.residual && context.float(params.residual, 'residual', x.shape);
  if (residual) context.store(residual, context.load(x), true);
  context.store(out, normalize(context.tf, context.load(residual ?? x), context.load(weight), epsilon));
}

/** Gradient of `normalize` with respect to x. */
export function rmsNormBackward(context: OpContext, params: RmsNormBackwardParams): void {
  const { tf } = context;
  const x = context.float(params.x, 'x');
  const weight = context.load(context.float(params.weight, 'weight', x.shape.slice(-1)));
  const gradOut = context.float(params.gradOut, 'gradOut', x.shape);
  const gradX = context.float(params.gradX, 'gradX', x.shape);
  const epsilon = checkEpsilon(params.epsilon);
  const gradient = tf.grad((input) => normalize(tf, input, weight, epsilon))(context.load(x), context.load(gradOut));
  context.store(gradX, gradient, params.accumulate);
}

function checkEpsilon(epsilon: number): number {
  if (!(Number.isFinite(epsilon) && epsilon >= 0)) throw invalidArgument('a number of at least 0', 'epsilon', epsilon);
  return epsilon;
}

/** silu(gate) * up for [T, 2F]: gate then up. */
function gatedSilu(tf: Tf, gateUp: TfTensor): TfTensor {
  const [gate, up] = tf.split(gateUp, 2, 1) as [Tensor2D, Tensor2D];
  return gate.mul(tf.sigmoid(gate)).mul(up);
}

/** SwiGLU's pointwise half. */
export function siluMul(context: OpContext, params: SiluMulParams): void {
  const out = context.float(params.out, 'out', ['any', 'any']);
  const [tokens, width] = out.shape as readonly [number, number];
  const gateUp = context.float(params.gateUp, 'gateUp', [tokens, 2 * width]);
  context.store(out, gatedSilu(context.tf, context.load(gateUp)));
}

/** Gradient of `siluMul` with respect to gateUp. */
export function siluMulBackward(context: OpContext, params: SiluMulBackwardParams): void {
  const { tf } = context;
  const gradOut = context.float(params.gradOut, 'gradOut', ['any', 'any']);
  const [tokens, width] = gradOut.shape as readonly [number, number];
  const gateUp = context.float(params.gateUp, 'gateUp', [tokens, 2 * width]);
  const gradGateUp = context.float(params.gradGateUp, 'gradGateUp', [tokens, 2 * width]);
  context.store(gradGateUp, tf.grad((input) => gatedSilu(tf, input))(context.load(gateUp), context.load(gradOut)));
}

/** x * cos + rotate_half(x) * sin for x [T, H, D], positions [T], frequencies [D / 2] (Hugging Face's pairing). */
export function rotate(
  tf: Tf,
  x: Tensor3D,
  options: { readonly positions: TfTensor; readonly frequencies: TfTensor; readonly scale: number; readonly inverse?: boolean },
): Tensor3D {
  const angles = options.positions.expandDims(1).mul(options.frequencies.expandDims(0)).expandDims(1); // [T, 1, D / 2]
  const cos = tf.cos(angles).mul(options.scale);
  const sin = tf.sin(angles).mul(options.inverse ? -options.scale : options.scale);
  const [low, high] = tf.split(x, 2, 2) as [Tensor3D, Tensor3D];
  return tf.concat([low.mul(cos).sub(high.mul(sin)), high.mul(cos).add(low.mul(sin))] as [Tensor3D, Tensor3D], 2);
}

/** Rotary positions in place. */
export function rope(context: OpContext, params: RopeParams): void {
  const { tf } = context;
  const q = context.float(params.q, 'q', ['any', 'any', 'any']);
  const [tokens, , headDim] = q.shape as readonly [number, number, number];
  const k = context.float(params.k, 'k', [tokens, 'any', headDim]);
  if (headDim % 2 !== 0) throw invalidArgument('an even head dim', 'q', q.shape);
  const frequencies = context.load(context.f32(params.inverseFrequencies, 'inverseFrequencies', [headDim / 2]));
  const scale = finite(params.scale, 'scale');
  for (const { rowStart, rowCount, firstPosition } of parseSegments(params.segments, tokens)) {
    const positions = tf.range(firstPosition, firstPosition + rowCount);
    for (const tensor of [q, k]) {
      const rows = context.float(tensor.rows(rowStart, rowCount), 'rows');
      context.store(rows, rotate(tf, context.load(rows) as Tensor3D, { positions, frequencies, scale, inverse: params.inverse === true }));
    }
  }
}
