import { MoaError } from '../../core/errors.ts';
import type { OnProgress } from '../../core/progress.ts';
import { Rng } from '../../core/rng.ts';
import { median } from '../../core/statistics/descriptive.ts';
import type { KernelPeer } from '../../peers/kernel-peer.ts';
import type { Finding } from '../../peers/kernel-protocol.ts';
import type { CeilingCase, KernelCase, KernelCheck } from './case.ts';
import type { CeilingsFound, CheckResult, Failure, ProcessTimes } from './record.ts';

export interface PeerRunOptions {
  readonly checks: readonly KernelCheck[];
  readonly ceilings: readonly CeilingCase[];
  readonly cases: readonly KernelCase[];
  /** How many processes time everything, one after another. Differences between processes are noise too, and this noise must be measured. */
  readonly processes: number;
  /** Starts a worker process. */
  readonly launch: () => Promise<KernelPeer>;
  /** After so many milliseconds no further step is begun: no check, no ceiling and no case. */
  readonly budgetMs: number;
  readonly signal: AbortSignal;
  readonly onProgress: OnProgress;
  /** Called after every process with everything found so far. */
  readonly onProcess: (found: PeerRun) => void;
}

/** What all processes found, as it grows. */
export interface PeerRun {
  readonly checks: CheckResult[];
  readonly ceilings: CeilingsFound[];
  /** What each process measured of a case, by case. */
  readonly times: ReadonlyMap<KernelCase, ProcessTimes[]>;
  readonly failures: Failure[];
}

/** A request without progress for so long is taken to hang, in the device or in a compiler. FlexAttention's compiler takes a minute. */
const STANDSTILL_MS = 180_000;

/**
 * Checks kernels, finds ceilings and times cases in several processes, one after another, and returns what they found. Every round has its own random
 * order. A failure affects only its own case: a case whose check failed is not timed, and after a crash or a hang a new worker continues with the next case.
 */
export async function runPeerKernels(options: PeerRunOptions): Promise<PeerRun> {
  const found: PeerRun = { checks: [], ceilings: [], times: new Map(options.cases.map((one) => [one, []])), failures: [] };
  const deadline = performance.now() + options.budgetMs;
  for (let process = 0; process < options.processes; process++) {
    const run = new ProcessRun(options, found, process, deadline);
    try {
      await run.all();
    } finally {
      await run.close();
    }
    options.onProcess(found);
  }
  return found;
}

/** All steps of one process of the run. It launches a worker, and a new one whenever a worker is gone. */
class ProcessRun {
  readonly #options: PeerRunOptions;
  readonly #found: PeerRun;
  readonly #process: number;
  readonly #deadline: number;
  #peer: KernelPeer | undefined;

  constructor(options: PeerRunOptions, found: PeerRun, process: number, deadline: number) {
    this.#options = options;
    this.#found = found;
    this.#process = process;
    this.#deadline = deadline;
  }

  async all(): Promise<void> {
    const { checks, ceilings, cases } = this.#options;
    const steps = [
      ...checks.map((check) => ({ name: `check ${check.name}`, run: (peer: KernelPeer) => this.#check(peer, check) })),
      ...ceilings.map((one) => ({ name: `ceiling ${one.ceiling}`, run: (peer: KernelPeer) => this.#ceiling(peer, one) })),
      ...cases.map((one) => ({ name: `${one.section} ${one.name}`, run: (peer: KernelPeer) => this.#time(peer, one) })),
    ];
    const { processes, onProgress } = this.#options;
    for (const [step, { name, run }] of steps.entries()) {
      this.#options.signal.throwIfAborted();
      onProgress({ stage: 'kernels', done: this.#process * steps.length + step, total: processes * steps.length, detail: name });
      if (performance.now() > this.#deadline) this.#fail(name, 'not begun: out of time');
      else await this.#attempt(name, run);
    }
  }

  async close(): Promise<void> {
    await this.#peer?.close();
  }

  /** Runs one step and records its failure. The step gets a new worker when the last one is gone. @throws aborts, and a worker that cannot start. */
  async #attempt(name: string, run: (peer: KernelPeer) => Promise<void>): Promise<void> {
    if (this.#peer === undefined || this.#peer.isGone) {
      await this.#peer?.close();
      this.#peer = await this.#options.launch();
    }
    try {
      await run(this.#peer);
    } catch (error) {
      this.#options.signal.throwIfAborted();
      const hint = error instanceof MoaError && error.hint !== undefined ? ` ${error.hint}` : '';
      this.#fail(name, `${error instanceof Error ? error.message : String(error)}${hint}`);
    }
  }

  #fail(name: string, reason: string): void {
    this.#found.failures.push({ process: this.#process, name, reason });
  }

  async #check(peer: KernelPeer, { name, spec, limits }: KernelCheck): Promise<void> {
    for (const finding of await peer.check(spec, STANDSTILL_MS)) {
      const limit = limits[finding.name];
      if (limit === undefined) throw new MoaError(`Expected a limit for ${name}: ${finding.name}`, { code: 'INTERNAL' });
      this.#record(`${name} ${finding.name}`.trim(), finding, limit);
    }
  }

  /** Records a finding, and returns whether its error is within the limit. */
  #record(name: string, { error, note }: Finding, limit: number): boolean {
    const passed = error !== null && error <= limit;
    this.#found.checks.push({ process: this.#process, name, error, limit, passed, note });
    return passed;
  }

  async #ceiling(peer: KernelPeer, { ceiling, spec, arms, work, rounds }: CeilingCase): Promise<void> {
    const prepared = await peer.prepare({ spec, arms, check: false }, STANDSTILL_MS);
    const { samplesMs } = await peer.time(this.#orders(`ceiling ${ceiling}`, readyArms(prepared.arms), rounds), STANDSTILL_MS);
    await peer.release();
    const amount = 'bytes' in work ? work.bytes : work.flop;
    const best = Math.max(...Object.values(samplesMs).map((samples) => amount / median(samples) / 1e9));
    this.#found.ceilings.push({ process: this.#process, ceiling, best, unit: 'bytes' in work ? 'TB/s' : 'TFLOP/s', samplesMs });
  }

  async #time(peer: KernelPeer, one: KernelCase): Promise<void> {
    const failed = this.#found.checks.find(
      ({ process, name, passed }) => process === this.#process && !passed && one.needs.some((need) => name.startsWith(need)),
    );
    if (failed !== undefined) throw new MoaError(`not timed: ${failed.name} is wrong`, { code: 'INTERNAL' });
    const { spec, arms, rounds, limit } = one;
    try {
      const prepared = await peer.prepare({ spec, arms, check: limit !== null }, STANDSTILL_MS);
      const wrong = this.#wrongAtScale(one, prepared.checks);
      if (wrong.has(null)) throw new MoaError('not timed: wrong at this shape', { code: 'INTERNAL' });
      const ready = readyArms(prepared.arms).filter((id) => !wrong.has(id));
      const timed = await peer.time(this.#orders(`${one.section} ${one.name}`, ready, rounds), STANDSTILL_MS);
      this.#found.times.get(one)?.push({ process: this.#process, arms: prepared.arms, wrong: [...wrong] as string[], ready, timed });
    } finally {
      if (!peer.isGone) await peer.release();
    }
  }

  /** Ids of the arms whose check at this shape failed; the id null stands for our own kernel. */
  #wrongAtScale(one: KernelCase, checks: readonly Finding[]): ReadonlySet<string | null> {
    const { limit } = one;
    if (limit === null) return new Set();
    const failed = checks.filter((finding) => !this.#record(`${one.section}-at-scale ${one.name}: ${finding.name}`, finding, limit));
    return new Set(failed.map(({ arm }) => arm));
  }

  #orders(label: string, ids: readonly string[], rounds: number): readonly (readonly string[])[] {
    const rng = new Rng(`kernels/${this.#process}/${label}`);
    return Array.from({ length: rounds }, () => rng.shuffle(ids));
  }
}

function readyArms(arms: Readonly<Record<string, { readonly mode: string } | { readonly unavailable: string }>>): string[] {
  return Object.entries(arms).flatMap(([id, arm]) => ('mode' in arm ? [id] : []));
}
