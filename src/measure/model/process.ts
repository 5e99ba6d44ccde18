import type { z } from 'zod';
import { type ErrorCode, MoaError } from '../../core/errors.ts';
import type { OnProgress, Progress } from '../../core/progress.ts';
import { workerCommand } from '../../core/worker-command.ts';
import { type WorkerLimits, type WorkerLine, WorkerProcess } from '../../core/worker-process.ts';
import { type ModelBenchReply, type ModelBenchRequest, replySchema } from './protocol.ts';

/** The result of a process, and what it ran on. */
export interface FromProcess<Result> {
  /** The description that its backend gives of itself. */
  readonly device: string;
  readonly timer: string;
  /** The dtype of activations and caches. */
  readonly dtype: string;
  /** One sentence for each op that ran on another kernel than the intended one. */
  readonly substitutions: readonly string[];
  readonly result: Result;
}

export interface ProcessesOptions<Schema extends z.ZodType> {
  readonly request: Omit<ModelBenchRequest, 'seed'>;
  readonly schema: Schema;
  /** How many processes measure everything, one after another. Differences between processes are noise too, and this noise must be measured. */
  readonly processes: number;
  readonly signal: AbortSignal;
  readonly onProgress: OnProgress;
}

/** The process says every 5 s that it lives. Its slowest step is to load the weights of a model from a slow disk. */
const LIMITS: WorkerLimits = { silenceMs: 120_000, standstillMs: 3_600_000, endMs: 5_000 };

/** The results of fresh processes that measure one after another, each with its own model and backend. @throws the first failure of a process. */
export async function inProcesses<Schema extends z.ZodType>(
  options: ProcessesOptions<Schema>,
): Promise<readonly FromProcess<z.infer<Schema>>[]> {
  const found: FromProcess<z.infer<Schema>>[] = [];
  for (let process = 0; process < options.processes; process++) found.push(await inProcess(options, process));
  return found;
}

async function inProcess<Schema extends z.ZodType>(
  { request, schema, processes, signal, onProgress }: ProcessesOptions<Schema>,
  process: number,
): Promise<FromProcess<z.infer<Schema>>> {
  signal.throwIfAborted();
  const command = workerCommand(import.meta.url, 'worker');
  const worker = new WorkerProcess({ name: 'The measuring process', command, signal, limits: LIMITS, read: lineOf });
  const told = (progress: Progress): void =>
    onProgress({ ...progress, stage: `${request.work.kind}${processes === 1 ? '' : ` ${process + 1}/${processes}`}` });
  try {
    const reply = await worker.ask({ ...request, seed: `${request.work.kind}/${process}` }, { onProgress: told });
    if ('failed' in reply) throw failureOf(reply.failed);
    if (!('result' in reply)) throw new MoaError(`Expected a result but received ${JSON.stringify(reply)}`, { code: 'INTERNAL' });
    return { ...reply, result: schema.parse(reply.result) };
  } finally {
    await worker.close();
  }
}

function failureOf({
  code,
  message,
  hint,
}: {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string | undefined;
}): MoaError {
  return new MoaError(message, { code, ...(hint === undefined ? {} : { hint }) });
}

function lineOf(line: string): WorkerLine<ModelBenchReply> {
  try {
    const reply = replySchema.parse(JSON.parse(line));
    if ('alive' in reply) return { is: 'alive' };
    if (!('progress' in reply)) return { is: 'reply', reply };
    const { detail, ...progress } = reply.progress;
    return { is: 'progress', progress: detail === undefined ? progress : { ...progress, detail } };
  } catch {
    return { is: 'words' };
  }
}
