import type { FloatDType, Tensor } from '../../../native/backend.ts';

/** Named tensors of a model, stored or generated. They are copied to a backend without ever being in host memory as a whole. */
export interface WeightSource {
  /** @throws MoaError NOT_FOUND (missing), UNSUPPORTED (a dtype that is not f32, f16 or bf16). */
  describe(name: string): StoredTensor;
  /**
   * Enqueues the tensor's elements into `into`, which has its shape and any float dtype. `onBytes` is awaited after every part with the
   * part's bytes as stored.
   */
  copyTo(name: string, into: Tensor, onBytes: (bytes: number) => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

export interface StoredTensor {
  readonly dtype: FloatDType;
  readonly shape: readonly number[];
}
