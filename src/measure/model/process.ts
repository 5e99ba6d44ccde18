import type { z } from 'zod';
import { type ErrorCode, MoaError } from '../../core/errors.ts';
import type { OnProgress, Progress } from '../../core/progress.ts';
import { workerCommand } from '../../core/worker-command.ts';
import { type WorkerLimits, type WorkerLine, WorkerProcess } from '../../core/worker-process.ts';
import { type ModelBenchReply, type ModelBenchRequest, replySchema } from './protocol.ts';

/** What a process found, and what it ran on. */
export interface FromProcess<Result> {
  /** As its backend describes itself. */
  readonly device: string;
  readonly timer: string;
  /** Of activations and caches. */
  readonly dtype: string;
  /** What ran on another kernel than the one meant for it. */
  readonly substitutions: readonly string[];
  readonly result: Result;
}

export interface ProcessesOptions<Schema extends z.ZodType> {
  readonly request: Omit<ModelBenchRequest, 'seed'>;
  readonly schema: Schema;
  /** Launches that measure everything once each: what differs between them is noise too. */
  readonly processes: number;
  readonly signal: AbortSignal;
  readonly onProgress: OnProgress;
}

/** It says that it lives every 5 s. The slowest step is loading a model's weights from a slow disk. */
const LIMITS: WorkerLimits = { silenceMs: 120_000, standstillMs: 3_600_000, endMs: 5_000 };

/** Measures in fresh processes, one after another, each with the model and the backend to itself. @throws the first failure of one. */
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
