import type { LanguageModel } from './language-model.ts';

/**
 * Cleans up after a failure: frees the activation buffers and waits for the stream. The stream reports the failure once more, and this
 * report must not be taken for a failure of the next cell. Ops that were enqueued after the failed one were skipped.
 */
export async function settle(model: LanguageModel): Promise<void> {
  model.releaseWorkspace();
  await model.backend.synchronize().catch(() => undefined);
}
