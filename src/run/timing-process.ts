import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { extname } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { MoaError } from '../core/errors.ts';
import type { OnProgress } from '../core/progress.ts';
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
  /** The process; default: src/run/timing-worker. Tests start others. */
  readonly command?: readonly string[];
  readonly limits?: TimingLimits;
}

export interface TimingLimits {
  /** A process that says nothing for so long has hung: it says that it lives every 5 s. */
  readonly silenceMs: number;
  /** A process that lives but gets nowhere for so long has hung too: one round of the slowest contender takes minutes at most. */
  readonly standstillMs: number;
  /** How long it may take to end by itself. */
  readonly endMs: number;
}

export interface TimingResult {
  readonly outcomes: readonly TimingOutcome[];
  /** What has run on another kernel than the one meant for it so far. */
  readonly substitutions: readonly string[];
}

const LIMITS: TimingLimits = { silenceMs: 120_000, standstillMs: 3_600_000, endMs: 5_000 };
/** Of what a process that crashed wrote to its stderr. */
const LAST_WORDS = 500;

/**
 * A fresh process that has the model and the backend to itself and times on request. Its crash, its silence and an abort are rejections of
 * what is asked for; it is gone then. It ends when its stdin closes, so also when this process is killed.
 */
export class TimingProcess {
  /** As its backend describes itself. */
  device = '';
  weightsHash = '';
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #limits: TimingLimits;
  readonly #ended: Promise<void>;
  #pending: { resolve(reply: TimingReply): void; reject(error: unknown): void } | undefined;
  #onProgress: OnProgress = () => {};
  #failure: MoaError | undefined;
  #silence: NodeJS.Timeout | undefined;
  #standstill: NodeJS.Timeout | undefined;
  #lastWords = '';
  readonly #signal: AbortSignal;
  readonly #onAbort = (): void => this.#fail(new MoaError('Stopped on request', { code: 'ABORTED', cause: this.#signal.reason }));

  /** Starts the process and waits until the model is loaded. @throws MoaError as loading does; INTERNAL when it crashes or hangs; ABORTED. */
  static async launch(options: TimingProcessOptions): Promise<TimingProcess> {
    options.signal.throwIfAborted();
    const launched = new TimingProcess(options);
    const ready = await launched.#ask({ kind: 'load', ...options.load });
    if (ready.kind === 'ready') {
      launched.device = ready.device;
      launched.weightsHash = ready.weightsHash;
    }
    return launched;
  }

  private constructor({ command = workerCommand(), limits = LIMITS, signal }: TimingProcessOptions) {
    this.#limits = limits;
    this.#signal = signal;
    const [file = '', ...args] = command;
    this.#child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child.stdin.on('error', () => {}); // told by the end of the process
    this.#child.stderr.on('data', (data: Buffer) => {
      this.#lastWords = (this.#lastWords + data.toString()).slice(-LAST_WORDS);
    });
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#take(line));
    this.#ended = new Promise((resolve) => {
      this.#child.on('error', (cause) => {
        this.#fail(new MoaError('The timing process could not be started', { code: 'INTERNAL', cause }));
        resolve();
      });
      this.#child.on('close', (code, by) => {
        this.#fail(this.#crash(by === null ? `with exit code ${code}` : `by ${by}`));
        resolve();
      });
    });
    signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Times contenders side by side. */
  async time(request: Omit<TimeRequest, 'kind'>, onProgress: OnProgress): Promise<TimingResult> {
    this.#onProgress = onProgress;
    const reply = await this.#ask({ kind: 'time', ...request });
    if (reply.kind !== 'outcomes') throw new MoaError(`Expected timings but received ${reply.kind}`, { code: 'INTERNAL' });
    return reply;
  }

  /** Ends the process and waits until it is gone. */
  async close(): Promise<void> {
    this.#fail(new MoaError('The timing process was ended', { code: 'INTERNAL' }));
    await this.#ended;
  }

  async #ask(request: TimingRequest): Promise<TimingReply> {
    if (this.#failure !== undefined) throw this.#failure;
    const reply = await new Promise<TimingReply>((resolve, reject) => {
      this.#pending = { resolve, reject };
      this.#watch();
      this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    }).finally(() => {
      this.#pending = undefined;
      clearTimeout(this.#silence);
      clearTimeout(this.#standstill);
    });
    if (reply.kind !== 'failed') return reply;
    const error = errorOf(reply.failure);
    if (request.kind === 'load') this.#fail(error);
    throw error;
  }

  #take(line: string): void {
    const reply = parseReply(line);
    if (reply === null || this.#pending === undefined) return; // a library's own words
    if (reply.kind === 'alive') this.#watchSilence();
    else if (reply.kind === 'progress') {
      this.#watch();
      this.#onProgress({ stage: reply.stage, done: reply.done, total: reply.total });
    } else this.#pending.resolve(reply);
  }

  #watch(): void {
    this.#watchSilence();
    clearTimeout(this.#standstill);
    this.#standstill = setTimeout(() => this.#fail(this.#hang('got nowhere', this.#limits.standstillMs)), this.#limits.standstillMs);
  }

  #watchSilence(): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#fail(this.#hang('said nothing', this.#limits.silenceMs)), this.#limits.silenceMs);
  }

  /** Rejects what is asked for and ends the process: by closing its stdin, and by force when that does not help. */
  #fail(error: MoaError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#signal.removeEventListener('abort', this.#onAbort);
    this.#pending?.reject(error);
    this.#child.stdin.end();
    const force = setTimeout(() => this.#child.kill('SIGKILL'), this.#limits.endMs);
    void this.#ended.then(() => clearTimeout(force));
  }

  #crash(how: string): MoaError {
    const words = this.#lastWords.trim();
    return new MoaError(`The timing process ended ${how} in the middle of its work`, {
      code: 'INTERNAL',
      hint: words === '' ? 'It said nothing. Memory that ran out ends a process so; see the system log.' : `Its last words: ${words}`,
    });
  }

  #hang(what: string, ms: number): MoaError {
    return new MoaError(`The timing process ${what} for ${ms / 1000} s and was ended`, { code: 'INTERNAL' });
  }
}

function parseReply(line: string): TimingReply | null {
  try {
    return replySchema.parse(JSON.parse(line));
  } catch {
    return null;
  }
}

/** The worker beside this file, run as this process is: from dist as JavaScript; from src with the hooks that tests run with. */
function workerCommand(): string[] {
  const worker = new URL(`./timing-worker${extname(import.meta.url)}`, import.meta.url);
  const flags = process.execArgv.filter((flag) => !flag.startsWith('--inspect')); // a port that is taken already
  return [process.execPath, ...flags, fileURLToPath(worker)];
}
