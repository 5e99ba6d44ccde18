import { invalidArgument } from '../core/errors.ts';
import { BYTES_PER_ELEMENT, type DType, type MemoryKind, type Tensor } from '../native/backend.ts';
import { decodeRaw, roundToDType } from './float-rounding.ts';
import type { MemoryLedger } from './memory-ledger.ts';

type Elements = Float32Array | Int32Array;

/** Host memory of one allocation, shared by all its views. Floats are kept as float32 values that the dtype represents. */
interface Storage {
  readonly elements: Elements;
  readonly kind: MemoryKind;
  readonly bytes: number;
  readonly ledger: MemoryLedger;
  alive: boolean;
}

interface View {
  readonly storage: Storage;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly offset: number;
  readonly rowStride: number;
}

/** A tensor of the reference backend: a strided view of host memory. */
export class ReferenceTensor implements Tensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly rowStride: number;
  readonly #storage: Storage;
  readonly #offset: number;

  constructor(view: View) {
    this.dtype = view.dtype;
    this.shape = view.shape;
    this.rowStride = view.rowStride;
    this.#storage = view.storage;
    this.#offset = view.offset;
  }

  /** A zero-filled allocation counted as `kind`. */
  static allocate(ledger: MemoryLedger, options: { dtype: DType; shape: readonly number[]; kind: MemoryKind }): ReferenceTensor {
    const { dtype, kind } = options;
    const shape = checkedShape(options.shape, 'shape');
    if (!(dtype in BYTES_PER_ELEMENT)) throw invalidArgument('one of f32, f16, bf16, i32', 'dtype', dtype);
    const size = product(shape);
    const bytes = size * BYTES_PER_ELEMENT[dtype];
    ledger.take(kind, bytes);
    const elements = dtype === 'i32' ? new Int32Array(size) : new Float32Array(size);
    const storage: Storage = { elements, kind, bytes, ledger, alive: true };
    return new ReferenceTensor({ storage, dtype, shape, offset: 0, rowStride: product(shape.slice(1)) });
  }

  get size(): number {
    return product(this.shape);
  }
  get alive(): boolean {
    return this.#storage.alive;
  }
  /** The ledger of the backend that owns the memory. */
  get ledger(): MemoryLedger {
    return this.#storage.ledger;
  }

  rows(start: number, rows: number): Tensor {
    const total = this.shape[0] as number;
    if (!(Number.isInteger(start) && Number.isInteger(rows) && start >= 0 && rows >= 1 && start + rows <= total)) {
      throw invalidArgument(`a row range within [0, ${total})`, 'rows', [start, rows]);
    }
    return this.#view({ shape: [rows, ...this.shape.slice(1)], offset: this.#offset + start * this.rowStride, rowStride: this.rowStride });
  }

  columns(start: number, shape: readonly number[]): Tensor {
    const [rows, columns] = this.shape;
    if (rows === undefined || columns === undefined || this.shape.length !== 2)
      throw invalidArgument('a tensor [T, C]', 'columns', this.shape);
    const inner = checkedShape(shape, 'columns');
    if (!(Number.isInteger(start) && start >= 0 && start + product(inner) <= columns)) {
      throw invalidArgument(`a column range within [0, ${columns})`, 'columns', [start, ...shape]);
    }
    return this.#view({ shape: [rows, ...inner], offset: this.#offset + start, rowStride: this.rowStride });
  }

  reshape(shape: readonly number[]): Tensor {
    const to = checkedShape(shape, 'reshape');
    if (product(to) !== this.size) throw invalidArgument(`a shape of ${this.size} elements`, 'reshape', shape);
    if (this.rowStride !== this.#rowSize && this.shape[0] !== 1) throw invalidArgument('a contiguous tensor', 'reshape', this.shape);
    return this.#view({ shape: to, offset: this.#offset, rowStride: product(to.slice(1)) });
  }

  write(data: Float32Array | Int32Array | Uint8Array, from: DType = this.dtype): void {
    this.#requireAlive('write');
    if (!(data instanceof Uint8Array)) {
      const matches = this.dtype === 'i32' ? data instanceof Int32Array : data instanceof Float32Array;
      if (!matches) throw invalidArgument(`data for dtype ${this.dtype}`, 'write', data.constructor.name);
      this.store(data);
      return;
    }
    if ((from === 'i32') !== (this.dtype === 'i32')) throw invalidArgument(`a source dtype for ${this.dtype}`, 'write', from);
    if (data.byteLength !== this.size * BYTES_PER_ELEMENT[from]) {
      throw invalidArgument(`${this.size * BYTES_PER_ELEMENT[from]} bytes`, 'write', data.byteLength);
    }
    this.store(decodeRaw(data, from));
  }

  read(): Promise<Float32Array | Int32Array> {
    try {
      this.#requireAlive('read');
      return Promise.resolve(this.load());
    } catch (error) {
      return Promise.reject(error);
    }
  }

  dispose(): void {
    if (!this.#storage.alive) return;
    this.#storage.alive = false;
    this.#storage.ledger.give(this.#storage.kind, this.#storage.bytes);
  }

  /** Whether the views share an element. Views of one allocation with different strides count as sharing when their extents overlap. */
  overlaps(other: ReferenceTensor): boolean {
    if (other.#storage !== this.#storage) return false;
    const [low, high] = this.#offset <= other.#offset ? [this, other] : [other, this];
    const shift = high.#offset - low.#offset;
    const extent = ((low.shape[0] as number) - 1) * low.rowStride + low.#rowSize;
    if (shift >= extent) return false;
    if (low.rowStride !== high.rowStride) return true;
    const column = shift % low.rowStride;
    return column < low.#rowSize || column + high.#rowSize > low.rowStride;
  }

  isSameView(other: ReferenceTensor): boolean {
    return (
      other.#storage === this.#storage &&
      other.#offset === this.#offset &&
      other.rowStride === this.rowStride &&
      `${other.shape}` === `${this.shape}`
    );
  }

  /** A copy of the elements in row-major order without gaps. */
  load(): Elements {
    const { elements } = this.#storage;
    const out = this.dtype === 'i32' ? new Int32Array(this.size) : new Float32Array(this.size);
    const rowSize = this.#rowSize;
    for (let row = 0; row * rowSize < out.length; row++) {
      const start = this.#offset + row * this.rowStride;
      out.set(elements.subarray(start, start + rowSize), row * rowSize);
    }
    return out;
  }

  /** Replaces the elements, given in row-major order without gaps, rounding floats to the dtype. */
  store(values: Elements): void {
    if (values.length !== this.size) throw invalidArgument(`${this.size} elements`, 'write', values.length);
    let rounded = values;
    if (this.dtype !== 'i32' && this.dtype !== 'f32') {
      const copy = Float32Array.from(values);
      roundToDType(copy, this.dtype);
      rounded = copy;
    }
    const rowSize = this.#rowSize;
    for (let row = 0; row * rowSize < values.length; row++) {
      this.#storage.elements.set(rounded.subarray(row * rowSize, (row + 1) * rowSize), this.#offset + row * this.rowStride);
    }
  }

  get #rowSize(): number {
    return product(this.shape.slice(1));
  }

  #requireAlive(name: string): void {
    if (!this.#storage.alive) throw invalidArgument('a live tensor', name, 'a disposed one');
  }

  #view(part: { shape: readonly number[]; offset: number; rowStride: number }): ReferenceTensor {
    return new ReferenceTensor({ storage: this.#storage, dtype: this.dtype, ...part });
  }
}

/** Product of the entries; 1 for none. */
function product(shape: readonly number[]): number {
  return shape.reduce((total, n) => total * n, 1);
}

function checkedShape(shape: readonly number[], name: string): readonly number[] {
  if (shape.length === 0 || !shape.every((n) => Number.isSafeInteger(n) && n >= 1))
    throw invalidArgument('a shape of positive integers', name, shape);
  return [...shape];
}
