import type { Tensor1D, Tensor2D } from '@tensorflow/tfjs-core';
import { invalidArgument } from '../core/errors.ts';
import type { AddParams, CopyParams, EmbeddingParams, FillParams, GemmParams, RowsParams, Tensor } from '../native/backend.ts';
import type { OpContext } from './op-context.ts';
import type { ReferenceTensor } from './reference-tensor.ts';

/** out (+)= a.b (+ bias). */
export function gemm(context: OpContext, params: GemmParams): void {
  const { tf } = context;
  const a = context.float(params.a, 'a', ['any', 'any']);
  const [m, k] = a.shape as readonly [number, number];
  const b = context.float(params.b, 'b', params.transposeB ? ['any', k] : [k, 'any']);
  const n = b.shape[params.transposeB ? 0 : 1] as number;
  const out = context.float(params.out, 'out', [m, n]);
  const bias = params.bias && context.float(params.bias, 'bias', [n]);
  const product = tf.matMul(context.load(a), context.load(b), false, params.transposeB);
  context.store(out, bias ? product.add(context.load(bias)) : product, params.accumulate);
}

/** out[t] = table[ids[t]]; NaN for an id out of range. */
export function embedding(context: OpContext, params: EmbeddingParams): void {
  const { tf } = context;
  const ids = context.i32(params.ids, 'ids', ['any']);
  const table = context.float(params.table, 'table', ['any', 'any']);
  const [vocabulary, width] = table.shape as readonly [number, number];
  const out = context.float(params.out, 'out', [ids.size, width]);
  const wanted = context.load(ids) as Tensor1D;
  const known = tf.logicalAnd(tf.greaterEqual(wanted, 0), tf.less(wanted, vocabulary)).expandDims(1).tile([1, width]);
  const rows = tf.gather(context.load(table) as Tensor2D, tf.clipByValue(wanted, 0, vocabulary - 1).toInt());
  context.store(out, tf.where(known, rows, tf.fill([ids.size, width], Number.NaN)));
}

/** x += y. */
export function add(context: OpContext, params: AddParams): void {
  const x = context.float(params.x, 'x');
  const y = context.float(params.y, 'y', x.shape);
  context.store(x, context.load(y), true);
}

/** out = x, rounded to its dtype. */
export function copy(context: OpContext, params: CopyParams): void {
  const x = context.float(params.x, 'x');
  context.store(context.float(params.out, 'out', x.shape), context.load(x));
}

/** out = value everywhere. */
export function fill(context: OpContext, params: FillParams): void {
  const out = context.any(params.out, 'out');
  if (typeof params.value !== 'number' || (out.dtype === 'i32' && !Number.isInteger(params.value))) {
    throw invalidArgument(out.dtype === 'i32' ? 'an integer' : 'a number', 'value', params.value);
  }
  context.store(out, context.tf.fill([...out.shape], params.value, out.dtype === 'i32' ? 'int32' : 'float32'));
}

/** out[i] = x[rows[i]]. */
export function gatherRows(context: OpContext, params: RowsParams): void {
  const { x, out } = checkRows(context, params, { many: params.x, few: params.out });
  context.store(out, context.tf.gather(context.load(x), context.tf.tensor1d(params.rows, 'int32')));
}

/** out[rows[i]] = x[i]. */
export function scatterRows(context: OpContext, params: RowsParams): void {
  const { x, out } = checkRows(context, params, { many: params.out, few: params.x });
  if (new Set(params.rows).size !== params.rows.length) throw invalidArgument('distinct rows', 'rows', [...params.rows]);
  const indices = context.tf.tensor2d(params.rows, [params.rows.length, 1], 'int32');
  context.store(out, context.tf.tensorScatterUpdate(context.load(out), indices, context.load(x)));
}

function checkRows(
  context: OpContext,
  params: RowsParams,
  roles: { readonly many: Tensor; readonly few: Tensor },
): { x: ReferenceTensor; out: ReferenceTensor } {
  const x = context.any(params.x, 'x');
  const out = context.any(params.out, 'out', ['any', ...x.shape.slice(1)]);
  const total = roles.many.shape[0] as number;
  const { rows } = params;
  const valid = rows instanceof Int32Array && rows.length === roles.few.shape[0] && rows.every((row) => row >= 0 && row < total);
  if (!valid) throw invalidArgument(`${roles.few.shape[0]} row indices within [0, ${total})`, 'rows', rows);
  if (x.dtype !== out.dtype) throw invalidArgument(`the dtype of x, ${x.dtype},`, 'out', out.dtype);
  return { x, out };
}
