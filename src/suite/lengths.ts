import type { Suite } from './schema.ts';

/** Every context length that a suite names, ascending. */
export function suiteLengths(suite: Suite): readonly number[] {
  const { retrieval, longbench, perplexity } = suite.quality ?? {};
  const { prefill, decode, maxBatch } = suite.efficiency ?? {};
  const all = [
    ...(suite.compress?.profileLengths ?? []),
    ...(suite.compress?.constrainLengths ?? []),
    ...(retrieval?.lengths ?? []),
    ...(longbench === undefined ? [] : [longbench.length]),
    ...(perplexity === undefined ? [] : [perplexity.length]),
    ...(prefill?.lengths ?? []),
    ...(decode?.lengths ?? []),
    ...(maxBatch === undefined ? [] : [maxBatch.length]),
  ];
  return [...new Set(all)].sort((a, b) => a - b);
}
