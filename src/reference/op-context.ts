import type { Tensor3D, Tensor as TfTensor } from '@tensorflow/tfjs-core';
import { invalidArgument } from '../core/errors.ts';
import type { Segments, Tensor } from '../native/backend.ts';
import type { MemoryLedger } from './memory-ledger.ts';
import { ReferenceTensor } from './reference-tensor.ts';
import type { Tf } from './tfjs-load.ts';

/** A size that a tensor must have, or a free one. */
export type Dim = number | 'any';

/** What the ops of one backend share: the TF.js module and the identity of the backend's tensors. */
export class OpContext {
  readonly tf: Tf;
  readonly ledger: MemoryLedger;

  constructor(tf: Tf, ledger: MemoryLedger) {
    this.tf = tf;
    this.ledger = ledger;
  }

  /** The argument as a live float tensor of this backend with the shape; INVALID_ARGUMENT otherwise. */
  float(tensor: Tensor, name: string, shape?: readonly Dim[]): ReferenceTensor {
    const found = this.#own(tensor, name, shape);
    if (found.dtype === 'i32') throw invalidArgument('a float dtype', name, found.dtype);
    return found;
  }

  /** As `float`, float32 only. */
  f32(tensor: Tensor, name: string, shape?: readonly Dim[]): ReferenceTensor {
    const found = this.#own(tensor, name, shape);
    if (found.dtype !== 'f32') throw invalidArgument('dtype f32', name, found.dtype);
    return found;
  }

  /** As `float`, for int32. */
  i32(tensor: Tensor, name: string, shape?: readonly Dim[]): ReferenceTensor {
    const found = this.#own(tensor, name, shape);
    if (found.dtype !== 'i32') throw invalidArgument('dtype i32', name, found.dtype);
    return found;
  }

  /** As `float`, any dtype. */
  any(tensor: Tensor, name: string, shape?: readonly Dim[]): ReferenceTensor {
    return this.#own(tensor, name, shape);
  }

  /** The elements as a TF.js tensor; call inside `tf.tidy`. */
  load(tensor: ReferenceTensor): TfTensor {
    return this.tf.tensor(tensor.load(), [...tensor.shape], tensor.dtype === 'i32' ? 'int32' : 'float32');
  }

  /** Rows [start, start + count) of a tensor [T, H, D] as [H, count, D]. */
  loadHeads(tensor: ReferenceTensor, start: number, count: number): Tensor3D {
    return this.load(tensor.rows(start, count) as ReferenceTensor).transpose<Tensor3D>([1, 0, 2]);
  }

  /** Writes the result, optionally added to what is there. */
  store(tensor: ReferenceTensor, result: TfTensor, accumulate = false): void {
    const value = accumulate ? this.tf.add(this.load(tensor), result) : result;
    tensor.store(value.dataSync() as Float32Array | Int32Array);
  }

  /** Writes [H, count, D] into rows [start, start + count) of a tensor [T, H, D]. */
  storeHeads(tensor: ReferenceTensor, start: number, result: Tensor3D): void {
    this.store(tensor.rows(start, result.shape[1]) as ReferenceTensor, result.transpose([1, 0, 2]));
  }

  #own(tensor: Tensor, name: string, shape: readonly Dim[] | undefined): ReferenceTensor {
    if (!(tensor instanceof ReferenceTensor)) throw invalidArgument('a tensor of the tfjs backend', name, typeof tensor);
    if (tensor.ledger !== this.ledger) throw invalidArgument('a tensor of this backend', name, 'one of another');
    if (!tensor.alive) throw invalidArgument('a live tensor', name, 'a disposed one');
    if (shape !== undefined && !matches(tensor.shape, shape)) throw invalidArgument(`shape [${shape.join(', ')}]`, name, tensor.shape);
    return tensor;
  }
}

function matches(actual: readonly number[], expected: readonly Dim[]): boolean {
  return actual.length === expected.length && expected.every((n, i) => n === 'any' || n === actual[i]);
}

/** One run of tokens, see `Segments`. */
export interface Segment {
  readonly rowStart: number;
  readonly rowCount: number;
  readonly firstPosition: number;
  readonly sequence: number;
}

/** The segments as objects; INVALID_ARGUMENT unless they are disjoint row ranges within [0, rows). */
export function parseSegments(segments: Segments, rows: number): readonly Segment[] {
  if (!(segments instanceof Int32Array) || segments.length === 0 || segments.length % 4 !== 0) {
    throw invalidArgument('an Int32Array of four entries a segment', 'segments', segments);
  }
  const parsed: Segment[] = [];
  const taken = new Uint8Array(rows);
  for (let i = 0; i < segments.length; i += 4) {
    const [rowStart, rowCount, firstPosition, sequence] = segments.subarray(i, i + 4) as unknown as [number, number, number, number];
    const inRange = rowStart >= 0 && rowCount >= 1 && rowStart + rowCount <= rows && firstPosition >= 0 && sequence >= 0;
    if (!inRange || taken.subarray(rowStart, rowStart + rowCount).includes(1)) {
      throw invalidArgument(`disjoint row ranges within [0, ${rows})`, 'segments', [...segments]);
    }
    taken.fill(1, rowStart, rowStart + rowCount);
    parsed.push({ rowStart, rowCount, firstPosition, sequence });
  }
  return parsed;
}

/** The number when it is finite; INVALID_ARGUMENT otherwise. */
export function finite(value: number, name: string): number {
  if (!Number.isFinite(value)) throw invalidArgument('a finite number', name, value);
  return value;
}
