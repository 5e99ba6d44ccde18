import type { z } from 'zod';
import { MoaError } from '../core/errors.ts';
import type { OnProgress } from '../core/progress.ts';
import { type WorkerLimits, type WorkerLine, WorkerProcess } from '../core/worker-process.ts';
import { type Answer, answerSchema, type Hello, PROTOCOL_VERSION } from './protocol.ts';

export interface PeerOptions {
  /** The name that messages put after `The peer`, such as `pytorch-kernels`. */
  readonly name: string;
  readonly command: readonly string[];
  readonly signal: AbortSignal;
  /** A file to which its stderr is appended. */
  readonly log: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly limits?: WorkerLimits;
}

export interface PeerAskOptions {
  /** A request without progress for so long is taken to hang. */
  readonly standstillMs?: number;
  readonly onProgress?: OnProgress;
}

/** A peer says every 5 s that it lives. Loading an engine and compiling its kernels take minutes at most. */
const LIMITS: WorkerLimits = { silenceMs: 120_000, standstillMs: 600_000, endMs: 5_000 };

/** Another engine in its own process; see protocol.ts and WorkerProcess. */
export class PeerProcess {
  readonly hello: Hello;
  readonly #worker: WorkerProcess<Answer>;
  readonly #name: string;
  #requests = 0;

  /**
   * A started peer that has said `hello`.
   * @throws MoaError INTERNAL when the peer crashes, hangs or says something else; UNSUPPORTED when it speaks another version of the protocol.
   */
  static async launch({ name, command, signal, log, env = {}, limits = LIMITS }: PeerOptions): Promise<PeerProcess> {
    signal.throwIfAborted();
    const worker = new WorkerProcess({ name: `The peer ${name}`, command, env, signal, log, limits, read: lineOf });
    const answer = await worker.ask(null);
    if ('hello' in answer && answer.hello.protocol === PROTOCOL_VERSION) return new PeerProcess(worker, name, answer.hello);
    const error =
      'hello' in answer
        ? otherVersion(name, answer.hello.protocol)
        : new MoaError(`Expected a hello from the peer ${name} but received ${JSON.stringify(answer)}`, { code: 'INTERNAL' });
    worker.fail(error);
    await worker.close();
    throw error;
  }

  private constructor(worker: WorkerProcess<Answer>, name: string, hello: Hello) {
    this.#worker = worker;
    this.#name = name;
    this.hello = hello;
  }

  get isGone(): boolean {
    return this.#worker.isGone;
  }

  /**
   * The peer's reply to a request.
   * @throws the error with which the request failed; the peer then still answers. INTERNAL when the peer is gone; all later requests then fail too.
   */
  async ask<Schema extends z.ZodType>(
    request: { readonly ask: string; readonly [name: string]: unknown },
    schema: Schema,
    options: PeerAskOptions = {},
  ): Promise<z.infer<Schema>> {
    const id = ++this.#requests;
    const answer = await this.#worker.ask({ id, ...request }, options);
    if (!('id' in answer) || answer.id !== id) throw this.#wrong(`an answer to request ${id}`, answer);
    if ('failed' in answer) throw new MoaError(answer.failed.message, { code: answer.failed.code, cause: answer.failed.trace });
    const parsed = schema.safeParse(answer.reply);
    if (!parsed.success) throw this.#wrong(`a reply to ${request.ask} (${parsed.error.issues[0]?.path.join('.')})`, answer.reply);
    return parsed.data;
  }

  /** Ends the peer and waits until it is gone. */
  async close(): Promise<void> {
    await this.#worker.close();
  }

  /** Ends a peer that gave an unexpected answer, because it has another version or is in a wrong state. Returns the error to throw. */
  #wrong(what: string, received: unknown): MoaError {
    const text = JSON.stringify(received);
    const shown = text.length > 120 ? `${text.slice(0, 117)}...` : text;
    const error = new MoaError(`Expected ${what} from the peer ${this.#name} but received ${shown}`, { code: 'INTERNAL' });
    this.#worker.fail(error);
    return error;
  }
}

function otherVersion(name: string, received: number): MoaError {
  return new MoaError(`Expected version ${PROTOCOL_VERSION} of the protocol from the peer ${name} but received ${received}`, {
    code: 'UNSUPPORTED',
    hint: 'The peer and moabench are of different versions: install both from one package.',
  });
}

function lineOf(line: string): WorkerLine<Answer> {
  let answer: Answer;
  try {
    answer = answerSchema.parse(JSON.parse(line));
  } catch {
    return { is: 'garbage' };
  }
  if ('alive' in answer) return { is: 'alive' };
  if ('progress' in answer) return { is: 'progress', progress: answer.progress };
  return { is: 'reply', reply: answer };
}
