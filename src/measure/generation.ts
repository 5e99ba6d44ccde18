import { MoaError } from '../core/errors.ts';
import type { OnProgress } from '../core/progress.ts';
import type { LanguageModel } from '../model/inference/language-model.ts';
import { settle } from '../model/inference/settle.ts';
import type { BackendTraits } from '../native/backend.ts';
import type { CacheLayout } from '../plan/cache-layout.ts';
import { decodeArm } from './decode-arm.ts';
import { type Arm, type ArmTimings, interleaveArms } from './interleave.ts';
import { prefillArm } from './prefill-arm.ts';
import type { TimedMemory } from './timed-memory.ts';

/** One contender of a timing: a method with the cache it runs on. */
export interface GenerationArm {
  readonly id: string;
  /** The cache of every sequence of the batch. */
  readonly layout: CacheLayout;
}

/**
 * How a contender ended. Running out of memory is a result, `unfit`, with the memory that ran out; it does not affect the other contenders.
 */
export type GenerationOutcome =
  | ({ readonly status: 'timed' } & ArmTimings & TimedMemory)
  | { readonly status: 'unfit'; readonly reason: string }
  | { readonly status: 'failed'; readonly error: unknown };

/** The clock that timings are read from. It is not the device's own, because users wait for the host too. */
export const GENERATION_TIMER: BackendTraits['timer'] = 'wall clock';

/** What of a generation is timed, and how often. */
export interface GenerationTimingOptions {
  /**
   * What is timed: the prefill of one sequence's whole prompt; or decode passes of a batch, of `newTokens` steps each, that end at the
   * layouts' length.
   */
  readonly what:
    | { readonly phase: 'prefill'; readonly prompt: Int32Array }
    | { readonly phase: 'decode'; readonly batch: number; readonly newTokens: number; readonly segmentMs: number };
  readonly chunkTokens: number;
  /** Whether decode steps are replayed from a recording, see `generate`. */
  readonly graph: 'on' | 'off';
  readonly rounds: number;
  readonly seed: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
}

/** Times contenders in interleaved rounds, each with an outcome of its own. @throws only when it is aborted. */
export async function timeGeneration(
  model: LanguageModel,
  arms: readonly GenerationArm[],
  options: GenerationTimingOptions,
): Promise<ReadonlyMap<string, GenerationOutcome>> {
  const memory = new Map<string, TimedMemory>();
  const outcomes = new Map<string, GenerationOutcome>();
  const { what, rounds, seed, signal, onProgress } = options;
  const common = {
    rounds,
    seed,
    ...(signal === undefined ? {} : { signal }),
    ...(onProgress === undefined ? {} : { onProgress }),
    ...(what.phase === 'decode' ? { segmentMs: what.segmentMs } : {}),
  };
  model.releaseWorkspace(); // peaks hold what these contenders need, not what ran before
  const timings = await interleaveArms(
    arms.map((arm) => armOf(model, arm, options, (figures) => memory.set(arm.id, figures))),
    { ...common, warmupRounds: 1, stage: what.phase },
    async (arm, error) => {
      signal?.throwIfAborted();
      await settle(model); // the next contender starts with nothing of this one
      outcomes.set(arm.id, outcomeOfFailure(error));
    },
  );
  for (const [id, timed] of timings) outcomes.set(id, { status: 'timed', ...timed, ...(memory.get(id) as TimedMemory) });
  return outcomes;
}

function armOf(
  model: LanguageModel,
  { id, layout }: GenerationArm,
  options: GenerationTimingOptions,
  onMemory: (memory: TimedMemory) => void,
): Arm {
  const { what, chunkTokens, graph, signal } = options;
  const common = { id, model, layout, chunkTokens, graph, signal, onMemory };
  return what.phase === 'prefill' ? prefillArm({ ...common, prompt: what.prompt }) : decodeArm({ ...common, ...what });
}

function outcomeOfFailure(error: unknown): GenerationOutcome {
  const isFull = error instanceof MoaError && error.code === 'OUT_OF_MEMORY';
  return isFull ? { status: 'unfit', reason: error.message } : { status: 'failed', error };
}
