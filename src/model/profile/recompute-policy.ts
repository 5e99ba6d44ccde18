import { MoaError } from '../../core/errors.ts';
import type { Backend } from '../../native/backend.ts';
import type { LanguageModel } from '../inference/language-model.ts';
import { profileBytes, type RecomputePolicy } from './shapes.ts';

/** From the least work to the least memory. */
const POLICIES: readonly RecomputePolicy[] = ['none', 'mlp', 'all'];
/** Share of the free memory that a profile may take. The rest is for scratch of kernels, logits of the answer and fragments of the pool. */
const USABLE_SHARE = 0.9;

export interface RecomputeOptions {
  /** Rows of the sample. */
  readonly tokens: number;
  /** The policy to begin with. Default: the one of least work that the device's free memory holds; `all` in host memory. */
  readonly recompute?: RecomputePolicy | undefined;
}

/**
 * Runs the profile of a sample under a policy, and after OUT_OF_MEMORY again under the next policy, which needs less memory. Policies give
 * equal results. `run` frees what it makes, also when it fails. Activations of generation are freed first.
 */
export async function withRecomputePolicy<T>(
  model: LanguageModel,
  options: RecomputeOptions,
  run: (recompute: RecomputePolicy) => Promise<T>,
): Promise<T> {
  model.releaseWorkspace();
  await model.backend.synchronize(); // memory is free once the stream is past its last use
  const first = options.recompute ?? leastWorkThatFits(model, options.tokens);
  for (const recompute of POLICIES.slice(POLICIES.indexOf(first), -1)) {
    try {
      return await run(recompute);
    } catch (error) {
      if (!isOutOfMemory(error)) throw error;
      await settle(model.backend);
    }
  }
  return run('all');
}

function leastWorkThatFits(model: LanguageModel, tokens: number): RecomputePolicy {
  const { device } = model.backend.memory();
  if (device === undefined) return 'all';
  const free = device.freeBytes + device.poolReservedBytes - device.poolUsedBytes;
  return POLICIES.find((policy) => profileBytes(model, tokens, policy) <= USABLE_SHARE * free) ?? 'all';
}

/** Awaits what a failed run had enqueued. Another OUT_OF_MEMORY from the stream is ignored, because it is known already. */
async function settle(backend: Backend): Promise<void> {
  try {
    await backend.synchronize();
  } catch (error) {
    if (!isOutOfMemory(error)) throw error;
  }
}

function isOutOfMemory(error: unknown): boolean {
  return error instanceof MoaError && error.code === 'OUT_OF_MEMORY';
}
