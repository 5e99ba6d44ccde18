import { MoaError } from '../core/errors.ts';
import type { OnProgress } from '../core/progress.ts';
import { workerCommand } from '../core/worker-command.ts';
import { type WorkerLimits, type WorkerLine, WorkerProcess } from '../core/worker-process.ts';
import {
  errorOf,
  type LoadRequest,
  replySchema,
  type TimeRequest,
  type TimingOutcome,
  type TimingReply,
  type TimingRequest,
} from './timing-protocol.ts';

export interface TimingProcessOptions {
  readonly load: Omit<LoadRequest, 'kind'>;
  readonly signal: AbortSignal;
  /** The command of the process. Default: src/run/timing-worker. Tests start others. */
  readonly command?: readonly string[];
  readonly limits?: WorkerLimits;
}

export interface TimingResult {
  readonly outcomes: readonly TimingOutcome[];
  /** One sentence for each op that has run on another kernel than the intended one so far. */
  readonly substitutions: readonly string[];
}

/** The process says every 5 s that it lives, and one round of the slowest contender takes minutes at most. */
const LIMITS: WorkerLimits = { silenceMs: 120_000, standstillMs: 3_600_000, endMs: 5_000 };

/** A fresh process with a model and a backend of its own that times contenders on request; see WorkerProcess. */
export class TimingProcess {
  /** The description that the backend of the process gives of itself. */
  device = '';
  weightsHash = '';
  readonly #worker: WorkerProcess<TimingReply>;

  /** A process whose model is loaded. @throws the MoaError of loading; INTERNAL when the process crashes or hangs; ABORTED. */
  static async launch(options: TimingProcessOptions): Promise<TimingProcess> {
    options.signal.throwIfAborted();
    const launched = new TimingProcess(options);
    const ready = await launched.#ask({ kind: 'load', ...options.load }, () => {});
    if (ready.kind === 'ready') {
      launched.device = ready.device;
      launched.weightsHash = ready.weightsHash;
    }
    return launched;
  }

  private constructor({ command = workerCommand(import.meta.url, 'timing-worker'), limits = LIMITS, signal }: TimingProcessOptions) {
    this.#worker = new WorkerProcess({ name: 'The timing process', command, limits, signal, read: lineOf });
  }

  /** Times contenders side by side. */
  async time(request: Omit<TimeRequest, 'kind'>, onProgress: OnProgress): Promise<TimingResult> {
    const reply = await this.#ask({ kind: 'time', ...request }, onProgress);
    if (reply.kind !== 'outcomes') throw new MoaError(`Expected timings but received ${reply.kind}`, { code: 'INTERNAL' });
    return reply;
  }

  /** Ends the process and waits until it is gone. */
  async close(): Promise<void> {
    await this.#worker.close();
  }

  async #ask(request: TimingRequest, onProgress: OnProgress): Promise<TimingReply> {
    const reply = await this.#worker.ask(request, { onProgress });
    if (reply.kind !== 'failed') return reply;
    const error = errorOf(reply.failure);
    if (request.kind === 'load') this.#worker.fail(error);
    throw error;
  }
}

function lineOf(line: string): WorkerLine<TimingReply> {
  try {
    const reply = replySchema.parse(JSON.parse(line));
    if (reply.kind === 'alive') return { is: 'alive' };
    if (reply.kind === 'progress') return { is: 'progress', progress: { stage: reply.stage, done: reply.done, total: reply.total } };
    return { is: 'reply', reply };
  } catch {
    return { is: 'words' };
  }
}
