import { createInterface } from 'node:readline';
import { MoaError } from '../core/errors.ts';
import { timeGeneration } from '../measure/generation.ts';
import type { LanguageModel } from '../model/inference/language-model.ts';
import { loadModel } from '../model/load.ts';
import { createBackend } from '../native/backends.ts';
import { failureOf, type LoadRequest, requestSchema, type TimeRequest, type TimingReply } from './timing-protocol.ts';

/**
 * Entry of a timing process (see timing-process.ts): it loads a model, then times what it is asked to time, until its stdin closes. The run that started it
 * handles Ctrl-C. When that run is gone, stdin is closed, so this process never outlives the run.
 */

/** How often the process says that it lives. */
const ALIVE_MS = 5_000;

let model: LanguageModel | undefined;
let isBusy = false;
let requests = Promise.resolve();

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
const alive = setInterval(() => reply({ kind: 'alive' }), ALIVE_MS);
process.stdout.on('error', stop);
createInterface({ input: process.stdin })
  .on('line', (line) => {
    requests = requests.then(() => answer(line));
  })
  .on('close', stop);

async function answer(line: string): Promise<void> {
  isBusy = true;
  try {
    const request = requestSchema.parse(JSON.parse(line));
    reply(request.kind === 'load' ? await load(request) : await time(request));
  } catch (error) {
    reply({ kind: 'failed', failure: failureOf(error) });
  }
  isBusy = false;
}

async function load({ model: options, backend: on }: LoadRequest): Promise<TimingReply> {
  const backend = await createBackend(on);
  const { path, weightDType, activationDType } = options;
  model = await loadModel({
    path,
    backend,
    ...(weightDType === undefined ? {} : { weightDType }),
    ...(activationDType === undefined ? {} : { activationDType }),
  });
  return { kind: 'ready', weightsHash: model.weightsHash, device: backend.description };
}

async function time({ arms, what, kind: _, ...options }: TimeRequest): Promise<TimingReply> {
  if (model === undefined) throw new MoaError('Expected a loaded model before the first timing', { code: 'INTERNAL' });
  const timed = await timeGeneration(
    model,
    arms.map(({ id, layout }) => ({ id, layout: { ...layout, spans: Int32Array.from(layout.spans) } })),
    {
      ...options,
      what: what.phase === 'decode' ? what : { phase: what.phase, prompt: Int32Array.from(what.prompt) },
      onProgress: ({ stage, done, total }) => reply({ kind: 'progress', stage, done, total }),
    },
  );
  const outcomes = [...timed].map(([id, outcome]) => {
    if (outcome.status === 'failed') return { id, status: outcome.status, failure: failureOf(outcome.error) };
    if (outcome.status === 'unfit') return { id, ...outcome };
    return { id, ...outcome, samplesMs: [...outcome.samplesMs], passes: [...outcome.passes] };
  });
  return { kind: 'outcomes', outcomes, substitutions: [...model.backend.substitutions()] };
}

function reply(message: TimingReply): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

/**
 * Ends the process. When it is idle, it frees the model first. In the middle of work it kills itself: nobody waits for the result any more, and otherwise
 * native code would finish its work before the process ends.
 */
function stop(): void {
  clearInterval(alive);
  if (isBusy) process.kill(process.pid, 'SIGKILL');
  const loaded = model;
  model = undefined;
  loaded?.dispose();
  void loaded?.backend.dispose();
}
