import { createInterface } from 'node:readline';
import { MoaError } from '../../core/errors.ts';
import type { OnProgress } from '../../core/progress.ts';
import type { LanguageModel } from '../../model/inference/language-model.ts';
import { loadModel } from '../../model/load.ts';
import type { Backend } from '../../native/backend.ts';
import { createBackend } from '../../native/backends.ts';
import { OpRecorder } from './op-recorder.ts';
import { measureOpTimes } from './op-times.ts';
import { measureProfile } from './profile-vs-prefill.ts';
import { type ModelBenchReply, type ModelBenchRequest, requestSchema } from './protocol.ts';
import { measureWholeStep, readCeiling } from './whole-step.ts';

/**
 * Entry of a measuring process (see process.ts): it answers one request. When its stdin closes, it ends at once, even in the middle of its work. The
 * process that started it handles Ctrl-C.
 */

const ALIVE_MS = 5_000;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
setInterval(() => say({ alive: true }), ALIVE_MS).unref();
process.stdout.on('error', end);
createInterface({ input: process.stdin })
  .on('line', (line) => {
    void answer(line).then(say);
  })
  .on('close', end);

const onProgress: OnProgress = (progress) => say({ progress });

async function answer(line: string): Promise<ModelBenchReply> {
  try {
    const request = requestSchema.parse(JSON.parse(line));
    const backend = await createBackend(request.backend);
    const result = await measure(backend, request);
    return {
      device: backend.description,
      timer: backend.traits.timer,
      substitutions: [...backend.substitutions()],
      ...result,
    };
  } catch (error) {
    if (!(error instanceof MoaError))
      return { failed: { code: 'INTERNAL', message: error instanceof Error ? error.message : String(error) } };
    const { code, message, hint } = error;
    return { failed: { code, message, ...(hint === undefined ? {} : { hint }) } };
  }
}

/** The result, and the dtype of activations. */
async function measure(backend: Backend, { model: path, work, seed }: ModelBenchRequest): Promise<{ dtype: string; result: unknown }> {
  const recorder = new OpRecorder(backend);
  const model = await loadModel({ path, backend: work.kind === 'op-times' ? recorder.backend : backend });
  return { dtype: model.activationDType, result: await measureWork(model, work) };

  async function measureWork(loaded: LanguageModel, asked: ModelBenchRequest['work']): Promise<unknown> {
    switch (asked.kind) {
      case 'whole-step':
        return measureWholeStep(loaded, { ...asked, readCeiling: await readCeiling(backend), seed, onProgress });
      case 'profile-vs-prefill':
        return measureProfile(loaded, { ...asked, seed, onProgress });
      case 'op-times':
        return measureOpTimes(loaded, { ...asked, recorder, onProgress });
    }
  }
}

function say(message: ModelBenchReply): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

/** Kills this process at once: nobody waits for its work any more, and with an orderly exit native code would finish that work first. */
function end(): void {
  process.kill(process.pid, 'SIGKILL');
}
