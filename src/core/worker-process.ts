import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { MoaError } from './errors.ts';
import type { OnProgress, Progress } from './progress.ts';

/** What one line of a worker's stdout means. */
export type WorkerLine<Reply> =
  | { readonly is: 'reply'; readonly reply: Reply }
  /** The worker says that it lives. */
  | { readonly is: 'alive' }
  | { readonly is: 'progress'; readonly progress: Progress }
  /** Text that a library printed; it is ignored. */
  | { readonly is: 'words' }
  /** A line that no worker of this kind writes; the worker is ended. */
  | { readonly is: 'garbage' };

export interface WorkerLimits {
  /** A process that writes nothing for so long is taken to hang. */
  readonly silenceMs: number;
  /** A process that says it lives, but makes no progress for so long, is taken to hang too. A request may set its own limit. */
  readonly standstillMs: number;
  /** How long the process may take to end by itself after its stdin was closed; then it is killed. */
  readonly endMs: number;
}

export interface WorkerOptions<Reply> {
  /** The process as the subject of a message: `The timing process`. */
  readonly name: string;
  readonly command: readonly string[];
  /** Environment variables that are added to those of this process. */
  readonly env?: Readonly<Record<string, string>>;
  readonly read: (line: string) => WorkerLine<Reply>;
  readonly limits: WorkerLimits;
  readonly signal: AbortSignal;
  /** A file to which its stderr is appended. */
  readonly log?: string | undefined;
}

export interface AskOptions {
  readonly standstillMs?: number | undefined;
  readonly onProgress?: OnProgress | undefined;
}

/** So many characters, at most, of the end of a crashed process's stderr are kept for the error. */
const LAST_WORDS = 500;

/**
 * A child process that answers one request at a time. Requests go to its stdin and replies come from its stdout, one JSON object on each line. A crash,
 * a silence that is too long, or an abort rejects the pending request and ends the child with all processes that it started. A worker ends when its
 * stdin closes, so it also ends when this process is killed.
 */
export class WorkerProcess<Reply> {
  readonly #options: WorkerOptions<Reply>;
  readonly #child: ChildProcess & { readonly stdin: Writable; readonly stdout: Readable; readonly stderr: Readable };
  readonly #log: number | undefined;
  readonly #ended: Promise<void>;
  #pending: { resolve(reply: Reply): void; reject(error: unknown): void; readonly ask: AskOptions } | undefined;
  #failure: MoaError | undefined;
  #silence: NodeJS.Timeout | undefined;
  #standstill: NodeJS.Timeout | undefined;
  #lastWords = '';
  readonly #onAbort = (): void => this.fail(new MoaError('Stopped on request', { code: 'ABORTED', cause: this.#options.signal.reason }));

  constructor(options: WorkerOptions<Reply>) {
    this.#options = options;
    const [file = '', ...args] = options.command;
    this.#log = options.log === undefined ? undefined : openSync(options.log, 'a');
    // The child has its own process group: the processes that it starts can be ended with it, and Ctrl-C in the terminal reaches this process only.
    this.#child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'], detached: true, env: { ...process.env, ...options.env } });
    this.#child.stdin.on('error', () => {}); // told by the end of the process
    this.#child.stderr.on('data', (data: Buffer) => this.#note(data));
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#take(line));
    this.#ended = new Promise((resolve) => {
      this.#child.on('error', (cause) => {
        this.fail(new MoaError(`${options.name} could not be started`, { code: 'INTERNAL', cause }));
        resolve();
      });
      this.#child.on('exit', () => this.#kill()); // ends the processes that it started: they may hold its streams open
      this.#child.on('close', (code, by) => {
        this.fail(this.#crash(by === null ? `with exit code ${code}` : `by ${by}`));
        resolve();
      });
    });
    void this.#ended.then(() => this.#log === undefined || closeSync(this.#log));
    options.signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Whether the process has ended or is being ended. */
  get isGone(): boolean {
    return this.#failure !== undefined;
  }

  /** The reply to a request. With null nothing is sent, and the promise waits for what the process says by itself. */
  async ask(request: object | null, ask: AskOptions = {}): Promise<Reply> {
    if (this.#failure !== undefined) throw this.#failure;
    return await new Promise<Reply>((resolve, reject) => {
      this.#pending = { resolve, reject, ask };
      this.#watch();
      if (request !== null) this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    }).finally(() => {
      this.#pending = undefined;
      clearTimeout(this.#silence);
      clearTimeout(this.#standstill);
    });
  }

  /** Rejects the pending request and ends the process: first by closing its stdin, then by force when that does not help. */
  fail(error: MoaError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#options.signal.removeEventListener('abort', this.#onAbort);
    this.#pending?.reject(error);
    this.#child.stdin.end();
    const force = setTimeout(() => this.#kill(), this.#options.limits.endMs);
    void this.#ended.then(() => clearTimeout(force));
  }

  /** Ends the process and waits until it is gone. */
  async close(): Promise<void> {
    this.fail(new MoaError(`${this.#options.name} was ended`, { code: 'INTERNAL' }));
    await this.#ended;
  }

  #kill(): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // The whole group has ended.
    }
  }

  #note(data: Buffer): void {
    if (this.#log !== undefined) writeSync(this.#log, data);
    this.#lastWords = (this.#lastWords + data.toString()).slice(-LAST_WORDS);
  }

  #take(line: string): void {
    if (this.#pending === undefined) return;
    const said = this.#options.read(line);
    if (said.is === 'reply') this.#pending.resolve(said.reply);
    else if (said.is === 'alive') this.#watchSilence();
    else if (said.is === 'progress') {
      this.#watch();
      this.#pending.ask.onProgress?.(said.progress);
    } else if (said.is === 'garbage') this.fail(this.#garbage(line));
  }

  #watch(): void {
    const ms = this.#pending?.ask.standstillMs ?? this.#options.limits.standstillMs;
    this.#watchSilence();
    clearTimeout(this.#standstill);
    this.#standstill = setTimeout(() => this.fail(this.#hang('made no progress', ms)), ms);
  }

  #watchSilence(): void {
    const { silenceMs } = this.#options.limits;
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.fail(this.#hang('said nothing', silenceMs)), silenceMs);
  }

  #crash(how: string): MoaError {
    return new MoaError(`${this.#options.name} ended ${how} in the middle of its work`, {
      code: 'INTERNAL',
      hint: this.#words() ?? 'The process wrote nothing to standard error. It may have run out of memory; see the system log.',
    });
  }

  #hang(what: string, ms: number): MoaError {
    return new MoaError(`${this.#options.name} ${what} for ${ms / 1000} s and was ended`, { code: 'INTERNAL', ...this.#hint() });
  }

  #garbage(line: string): MoaError {
    const shown = line.length > 80 ? `${line.slice(0, 77)}...` : line;
    return new MoaError(
      `Expected a reply of the protocol from the worker but received ${JSON.stringify(shown)}. ${this.#options.name} was ended`,
      {
        code: 'INTERNAL',
        ...this.#hint(),
      },
    );
  }

  #hint(): { readonly hint?: string } {
    const hint = this.#words();
    return hint === undefined ? {} : { hint };
  }

  #words(): string | undefined {
    const words = this.#lastWords.trim();
    const log = this.#options.log === undefined ? '' : ` (more in ${this.#options.log})`;
    return words === '' ? undefined : `Its last words: ${words}${log}`;
  }
}
