import type { FloatDType } from '../native/backend.ts';

/** Named tensors of a checkpoint, readable in runs of rows, so that no more than a chunk is ever in host memory. */
export interface WeightSource {
  has(name: string): boolean;
  /** @throws MoaError NOT_FOUND (missing), UNSUPPORTED (a dtype that is not f32, f16 or bf16). */
  describe(name: string): StoredTensor;
  /** Raw little-endian elements of rows [start, start + rows) of the leading dimension into `into`, which has exactly their size. */
  readRows(name: string, start: number, rows: number, into: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

export interface StoredTensor {
  readonly dtype: FloatDType;
  readonly shape: readonly number[];
}
