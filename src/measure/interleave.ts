import { Bench } from 'tinybench';
import { MoaError } from '../core/errors.ts';
import type { OnProgress } from '../core/progress.ts';
import { Rng } from '../core/rng.ts';
import { mean } from '../core/statistics/descriptive.ts';

/** One contender: runs one pass and says how long its timed part took, in milliseconds. */
export interface Arm {
  readonly id: string;
  run(): Promise<number>;
  /** Called before the passes of one timing. */
  prepare?(): Promise<void>;
  /** Called after them, also when one failed. */
  release?(): Promise<void>;
}

/** How often each arm is timed, and in which order: `seed` decides it. */
export interface InterleaveOptions {
  /** Timings per arm. */
  readonly rounds: number;
  /** Untimed rounds of one pass at the start, which touch pages and warm caches and clocks. */
  readonly warmupRounds: number;
  /** Passes of one timing are repeated until their times add up to this; default: one pass. */
  readonly segmentMs?: number;
  readonly seed: string;
  readonly stage: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
}

export interface ArmTimings {
  /** One per round: the mean of its passes. Equal indices of two arms were taken side by side. */
  readonly samplesMs: readonly number[];
  /** How many passes each timing is the mean of. */
  readonly passes: readonly number[];
}

/** Raw samples in milliseconds per arm, one per round, see `interleaveArms`. The first failure of an arm ends it all. */
export async function interleave(arms: readonly Arm[], options: InterleaveOptions): Promise<ReadonlyMap<string, readonly number[]>> {
  const timings = await interleaveArms(arms, options, (_, error) => {
    throw error;
  });
  return new Map([...timings].map(([id, { samplesMs }]) => [id, samplesMs]));
}

/**
 * Timings per arm. Every round runs every arm once in a random order, so that drift of the machine falls on all arms alike and timing i of
 * two arms is a pair. An arm that fails is reported to `onFailure`. If that does not throw, the arm is left out from then on, and the
 * others go on.
 */
export async function interleaveArms(
  arms: readonly Arm[],
  options: InterleaveOptions,
  onFailure: (arm: Arm, error: unknown) => void | Promise<void>,
): Promise<ReadonlyMap<string, ArmTimings>> {
  const timings = new Map(arms.map((arm) => [arm.id, { samplesMs: [] as number[], passes: [] as number[] }]));
  const rng = new Rng(options.seed);
  const rounds = options.warmupRounds + options.rounds;
  for (let round = 0; round < rounds; round++) {
    options.onProgress?.({ stage: options.stage, done: round, total: rounds });
    const isWarmup = round < options.warmupRounds;
    for (const arm of rng.shuffle(arms).filter(({ id }) => timings.has(id))) {
      options.signal?.throwIfAborted();
      try {
        const passesMs = await timePasses(arm, isWarmup ? 0 : (options.segmentMs ?? 0), options.signal);
        if (isWarmup) continue;
        timings.get(arm.id)?.samplesMs.push(mean(passesMs));
        timings.get(arm.id)?.passes.push(passesMs.length);
      } catch (error) {
        await onFailure(arm, error);
        timings.delete(arm.id);
      }
    }
  }
  options.onProgress?.({ stage: options.stage, done: rounds, total: rounds });
  return timings;
}

/**
 * Times of the passes of one timing. tinybench repeats passes until their timed parts add up to `segmentMs`; the untimed parts of a pass do
 * not count.
 */
async function timePasses(arm: Arm, segmentMs: number, signal: AbortSignal | undefined): Promise<readonly number[]> {
  const bench = new Bench({ iterations: 1, time: segmentMs, warmup: false, retainSamples: true, throws: true });
  bench.add(arm.id, async () => {
    signal?.throwIfAborted();
    const ms = await arm.run();
    return { overriddenDuration: ms, overriddenIterationCost: ms };
  });
  try {
    await arm.prepare?.();
    await bench.run();
  } finally {
    await arm.release?.();
  }
  const [task] = bench.tasks;
  const { result } = task ?? {};
  if (result === undefined || !('latency' in result) || result.latency.samples === undefined) {
    throw new MoaError(`Expected a timing of ${arm.id} but the task ended as ${result?.state}`, { code: 'INTERNAL' });
  }
  return result.latency.samples;
}
