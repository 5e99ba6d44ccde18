import { Bench } from 'tinybench';
import { MoaError } from '../core/errors.ts';
import type { OnProgress } from '../core/progress.ts';
import { Rng } from '../core/rng.ts';

/** One contender: runs once and says how long its timed part took, in milliseconds. */
export interface Arm {
  readonly id: string;
  run(): Promise<number>;
}

export interface InterleaveOptions {
  /** Samples per arm. */
  readonly rounds: number;
  /** Untimed rounds first: pages touched, caches and clocks warm. */
  readonly warmupRounds: number;
  readonly seed: string;
  readonly stage: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
}

/**
 * Raw samples in milliseconds per arm, one per round. Every round runs every arm once in a random order, so that drift of the machine
 * falls on all arms alike and sample i of two arms is a pair (field.md 6.2).
 */
export async function interleave(arms: readonly Arm[], options: InterleaveOptions): Promise<ReadonlyMap<string, readonly number[]>> {
  const samples = new Map<string, number[]>(arms.map((arm) => [arm.id, []]));
  const rng = new Rng(options.seed);
  const rounds = options.warmupRounds + options.rounds;
  for (let round = 0; round < rounds; round++) {
    const bench = new Bench({ iterations: 1, time: 0, warmup: false, retainSamples: true, throws: true });
    for (const arm of rng.shuffle(arms)) {
      bench.add(arm.id, async () => {
        options.signal?.throwIfAborted();
        return { overriddenDuration: await arm.run() };
      });
    }
    options.onProgress?.({ stage: options.stage, done: round, total: rounds });
    await bench.run();
    if (round < options.warmupRounds) continue;
    for (const task of bench.tasks) samples.get(task.name)?.push(...samplesOf(task));
  }
  options.onProgress?.({ stage: options.stage, done: rounds, total: rounds });
  return samples;
}

function samplesOf(task: Bench['tasks'][number]): readonly number[] {
  const { result } = task;
  if (!('latency' in result) || result.latency.samples === undefined) {
    throw new MoaError(`Expected a timing of ${task.name} but the task ended as ${result.state}`, {
      code: 'INTERNAL',
      ...('error' in result ? { cause: result.error } : {}),
    });
  }
  return result.latency.samples;
}
