import { z } from 'zod';
import { CACHE_POLICIES } from '../native/backend.ts';
import { bytes, count, deviceMemory, kvBytes, measured, positive } from './fields.ts';

// Times, what did not fit, and largest batches.

const timer = z.enum(['cuda events', 'stream thread clock', 'wall clock']);
const cache = z.enum(CACHE_POLICIES);

/** What a timing was of. */
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

/** Timings of one cell in one process. */
export const measurement = z.strictObject({
  kind: z.literal('measurement'),
  ...measured,
  ...timedCondition,
  /**
   * One timing a round in ms: mean of its passes, each a whole prefill or `newTokens` decode steps up to the context. Equal indices of one
   * group and process were taken side by side.
   */
  samplesMs: z.array(z.number().positive()).min(1).max(10_000),
  passes: z.array(positive).optional().describe('How many passes each timing is the mean of. Absent in older records: one.'),
  timer: timer.optional().describe('Absent in older records: wall clock.'),
  kvBytes,
  peakBytes: bytes.nullable().describe('Largest sum of weights, caches and workspace that the allocator gave.'),
  rssBytes: bytes.nullable(),
  deviceMemory,
});

/** What a cell has in the place of a measurement when memory ran out: a result, not a failure. */
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
