import { MoaError } from '../core/errors.ts';

interface BatchTrial {
  readonly batch: number;
  readonly fits: boolean;
  /** Largest use during the trial; null when it did not fit. */
  readonly peakBytes: number | null;
  /** Which memory ran out, the budget or the device's; null when it fitted. */
  readonly reason: string | null;
}

export interface MaxBatch {
  readonly maxBatch: number;
  /** `largest`: the search ended at its own limit before memory did. */
  readonly stopped: 'memory' | 'largest';
  readonly trials: readonly BatchTrial[];
}

/**
 * Largest batch that really runs: doubling until a trial runs out of memory, then bisection. `tryBatch` allocates everything and
 * gives the peak bytes, or throws OUT_OF_MEMORY; no point is extrapolated.
 */
export async function findMaxBatch(tryBatch: (batch: number) => Promise<number>, largest: number): Promise<MaxBatch> {
  const trials: BatchTrial[] = [];
  const fits = async (batch: number): Promise<boolean> => {
    try {
      trials.push({ batch, fits: true, peakBytes: await tryBatch(batch), reason: null });
      return true;
    } catch (error) {
      if (!(error instanceof MoaError) || error.code !== 'OUT_OF_MEMORY') throw error;
      trials.push({ batch, fits: false, peakBytes: null, reason: error.message });
      return false;
    }
  };
  let good = 0;
  let bad = largest + 1;
  for (let batch = 1; good < largest && batch < bad; batch = Math.min(batch * 2, largest)) {
    if (await fits(batch)) good = batch;
    else bad = batch;
  }
  while (bad - good > 1) {
    const middle = Math.floor((good + bad) / 2);
    if (await fits(middle)) good = middle;
    else bad = middle;
  }
  return { maxBatch: good, stopped: good === largest ? 'largest' : 'memory', trials };
}
