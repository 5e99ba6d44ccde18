import { z } from 'zod';
import { CACHE_POLICIES } from '../native/backend.ts';
import { bytes, count, deviceMemory, kvBytes, measured, positive } from './fields.ts';

// Records of efficiency: times, conditions that did not fit into memory, and largest batches.

const timer = z.enum(['cuda events', 'stream thread clock', 'wall clock']);
const cache = z.enum(CACHE_POLICIES);

/** What was timed, and under which condition. */
const timedCondition = {
  measure: z.enum(['prefill', 'decode']),
  cache,
  length: positive,
  batch: positive,
  newTokens: count.describe('Decode steps in one pass; 0 for prefill.'),
  process: count
    .default(0)
    .describe('Which of the processes measured it, from 0: a fresh launch each. Older records, which lack it, were taken in one.'),
  control: z
    .boolean()
    .default(false)
    .describe('The baseline, timed a second time in the same schedule: what the clock says of equal programs.'),
};

/** The timings of one cell in one process. */
export const measurement = z.strictObject({
  kind: z.literal('measurement'),
  ...measured,
  ...timedCondition,
  /**
   * One timing for each round, in ms: the mean of the round's passes. A pass is a whole prefill, or `newTokens` decode steps that end at the context length.
   * Within one process and one group of cells that are timed together, timings with equal indices were taken side by side.
   */
  samplesMs: z.array(z.number().positive()).min(1).max(10_000),
  passes: z.array(positive).optional().describe('How many passes each timing is the mean of. Absent in older records: one.'),
  timer: timer.optional().describe('Absent in older records: wall clock.'),
  kvBytes,
  peakBytes: bytes.nullable().describe('Largest sum of weights, caches and workspace that the allocator gave.'),
  rssBytes: bytes.nullable(),
  deviceMemory,
});

/** Takes the place of a measurement when memory ran out. This is a result, not a failure. */
export const unfit = z.strictObject({
  kind: z.literal('unfit'),
  ...measured,
  ...timedCondition,
  reason: z.string().min(1).describe('Which memory ran out, and where.'),
});

export const capacity = z.strictObject({
  kind: z.literal('capacity'),
  ...measured,
  cache,
  length: positive,
  memoryLimitBytes: bytes,
  maxBatch: count,
  stopped: z.enum(['memory', 'largest']).describe('largest: the search ended before memory did.'),
  trials: z.array(
    z.strictObject({
      batch: positive,
      peakBytes: bytes.nullable(),
      fits: z.boolean(),
      reason: z.string().nullable().optional().describe('Which memory ran out; absent in older records.'),
    }),
  ),
  deviceMemory,
});
