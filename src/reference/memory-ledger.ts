import { MoaError } from '../core/errors.ts';
import type { MemoryUse } from '../native/backend.ts';

export type LedgerKind = 'weights' | 'kv' | 'workspace';

/** Bytes in use by kind, their peak and their limit. */
export class MemoryLedger {
  readonly #bytes: Record<LedgerKind, number> = { weights: 0, kv: 0, workspace: 0 };
  #peak = 0;
  #limit = 0;

  get total(): number {
    return this.#bytes.weights + this.#bytes.kv + this.#bytes.workspace;
  }

  setLimit(bytes: number): void {
    this.#limit = bytes;
  }

  resetPeak(): void {
    this.#peak = this.total;
  }

  /** Counts an allocation; throws OUT_OF_MEMORY when it would pass the limit. */
  take(kind: LedgerKind, bytes: number): void {
    if (this.#limit > 0 && this.total + bytes > this.#limit) {
      throw new MoaError(`Expected at most ${this.#limit} bytes in use but received a request for ${bytes} more than ${this.total}`, {
        code: 'OUT_OF_MEMORY',
        hint: 'Raise the memory limit, or use fewer sequences or shorter spans.',
      });
    }
    this.#bytes[kind] += bytes;
    this.#peak = Math.max(this.#peak, this.total);
  }

  give(kind: LedgerKind, bytes: number): void {
    this.#bytes[kind] -= bytes;
  }

  use(): MemoryUse {
    const { weights, kv, workspace } = this.#bytes;
    return { weightsBytes: weights, kvBytes: kv, workspaceBytes: workspace, peakBytes: this.#peak };
  }
}
