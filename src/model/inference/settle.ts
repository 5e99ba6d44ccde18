import type { LanguageModel } from './language-model.ts';

/**
 * After a failure: gives the activation buffers back and waits for the stream, whose own report of the failure would otherwise be taken for
 * the next cell's. What was enqueued after an op that failed was skipped.
 */
export async function settle(model: LanguageModel): Promise<void> {
  model.releaseWorkspace();
  await model.backend.synchronize().catch(() => undefined);
}
