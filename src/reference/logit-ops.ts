import type { Tensor1D, Tensor as TfTensor } from '@tensorflow/tfjs-core';
import type { ArgmaxParams, CrossEntropyParams, LogSoftmaxParams } from '../native/backend.ts';
import { finite, type OpContext } from './op-context.ts';

/** Index of each row's largest logit, lowest on ties; -1 where the row has a NaN. */
export function argmax(context: OpContext, params: ArgmaxParams): void {
  const { tf } = context;
  const logits = context.float(params.logits, 'logits', ['any', 'any']);
  const out = context.i32(params.out, 'out', [logits.shape[0] as number]);
  const values = context.load(logits);
  const broken = tf.isNaN(values).any(1);
  context.store(out, tf.where(broken, tf.fill([out.size], -1, 'int32'), tf.argMax(values, 1)));
}

/** Natural-log softmax of every row. */
export function logSoftmax(context: OpContext, params: LogSoftmaxParams): void {
  const logits = context.float(params.logits, 'logits', ['any', 'any']);
  const out = context.float(params.out, 'out', logits.shape);
  context.store(out, context.tf.logSoftmax(context.load(logits), 1));
}

/** -log softmax at the target per row, and its gradient; rows with target -1 give 0. */
export function crossEntropy(context: OpContext, params: CrossEntropyParams): void {
  const { tf } = context;
  const logits = context.float(params.logits, 'logits', ['any', 'any']);
  const [tokens, vocabulary] = logits.shape as readonly [number, number];
  const targets = context.i32(params.targets, 'targets', [tokens]);
  const losses = context.f32(params.losses, 'losses', [tokens]);
  const gradLogits = params.gradLogits && context.float(params.gradLogits, 'gradLogits', logits.shape);
  const gradScale = finite(params.gradScale ?? 1, 'gradScale');

  const wanted = context.load(targets) as Tensor1D;
  const counted = tf.notEqual(wanted, -1);
  const atTarget = tf.equal(wanted.expandDims(1), tf.range(0, vocabulary, 1, 'int32').expandDims(0)); // [T, V]
  const zeros = tf.zerosLike(wanted).toFloat();
  const values = context.load(logits);
  const targetOf = (x: TfTensor): TfTensor => tf.where(atTarget, x, tf.zeros([tokens, vocabulary])).sum(1);
  // Where the target has the largest logit, the loss is log1p of the sum of the others' odds against it, because 1 - p cancels when p
  // is near 1.
  const leads = tf.equal(targetOf(values), values.max(1));
  const lossesOf = (x: TfTensor): TfTensor => {
    const differences = tf.where(leads.expandDims(1), x.sub(targetOf(x).expandDims(1)), tf.zerosLike(x));
    const odds = tf.where(atTarget, tf.zerosLike(x), differences.exp()).sum(1);
    const losses = tf.where(leads, odds.log1p(), targetOf(tf.logSoftmax(x, 1)).neg());
    return tf.where(counted, losses, zeros);
  };
  context.store(losses, lossesOf(values));
  if (!gradLogits) return;
  const gradient = tf.grad((input) => lossesOf(input).sum().mul(gradScale))(values);
  const everywhere = counted.expandDims(1).tile([1, vocabulary]);
  context.store(gradLogits, tf.where(everywhere, gradient, tf.zerosLike(gradient)));
}
