import type { RunContext } from './context.ts';

/** The suite's options for generating sequences. They are the same for what is scored and for what is timed. */
export function generationOptions({ suite, signal }: RunContext) {
  return { chunkTokens: suite.generation.chunkTokens, graph: suite.backend.graph, signal } as const;
}
