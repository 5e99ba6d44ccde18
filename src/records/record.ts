import { z } from 'zod';
import { CACHE_POLICIES } from '../native/backend.ts';
import { planSchema } from '../plan/schema.ts';
import { environmentSchema } from './environment.ts';

/**
 * Version of the record lines that are written. Version 1, which knew neither stretches nor what a sample holds, and version 2, which had other names
 * (older-names.ts), are still read; others are refused.
 */
export const RECORD_VERSION = 3;

/** The `stretch` of a record of version 1. */
export const UNKNOWN_STRETCH = 'unknown';
/** The `content` of a sample of version 1. */
const UNKNOWN_CONTENT = '00000000';

const hash = z.string().regex(/^[0-9a-f]{8,64}$/, { error: 'Expected a hexadecimal hash' });
const time = z.iso.datetime().describe('UTC, when the line was written.');
const count = z.int().min(0);
const positive = z.int().min(1);
const bytes = z.number().min(0);
const ms = z.number().min(0);
/** Tokens -> ratio, as a plan file has it. */
const byTokens = z.record(z.string().regex(/^\d+$/), z.number());

/** What every line of a cell carries: the content hash that decides whether it may be reused, and whose it is. */
const ofCell = { time, cell: hash, method: z.string().min(1) };
/** What was measured names the stretch of measuring that it comes from. */
const measured = { ...ofCell, stretch: z.string().min(1).default(UNKNOWN_STRETCH).describe('Id of a stretch record.') };
const content = hash.default(UNKNOWN_CONTENT).describe('Of prompt token ids, references, scoring and most new tokens: what the sample is.');
const kvBytes = z.strictObject({
  planned: bytes.describe('What the plan implies at this N.'),
  resident: bytes.describe('What the allocator gave, read after prefill.'),
});
/** Beside the plan's and the allocator's figures; absent in records of versions without devices. */
const deviceMemory = z
  .strictObject({ freeBytes: bytes, totalBytes: bytes, poolReservedBytes: bytes, poolUsedBytes: bytes })
  .nullable()
  .describe('What the device said after the run; null where host memory is used.')
  .optional();
const timer = z.enum(['cuda events', 'stream thread clock', 'wall clock']);
const cache = z.enum(CACHE_POLICIES);

/** The model that a run ran. */
export const ranModelSchema = z.strictObject({
  name: z.string(),
  weightsHash: z.string(),
  layers: positive,
  heads: positive,
  kvHeads: positive,
  headDim: positive,
  parameters: count.nullable(),
  weightDType: z.string(),
  kvDType: z.string(),
  template: z
    .strictObject({
      hash,
      usesDate: z.boolean(),
      date: z.string().nullable().describe('What the template was told of the date; null where it does not ask.'),
      variables: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
    })
    .nullable()
    .optional()
    .describe('The chat template, null where the model has none. Absent in older records.'),
});

const run = z.strictObject({
  kind: z.literal('run'),
  time,
  recordVersion: z.literal([1, 2, RECORD_VERSION]),
  runId: z.string().min(1),
  origin: z
    .string()
    .optional()
    .describe('Hash of machine, user and folder. A folder that comes from elsewhere has another. Absent in version 1.'),
  resumed: z.boolean(),
  suite: z.strictObject({ name: z.string(), hash, path: z.string() }),
  version: z.string(),
  command: z.string().describe('A command that does this run again.'),
  chosen: z.array(z.string().min(1)).optional().describe("Ids of the cells that were asked for; absent: all of the suite's."),
  model: ranModelSchema,
  backend: z.strictObject({
    name: z.string(),
    description: z.string(),
    threads: positive.nullable(),
    activationDType: z.string().optional().describe('Absent in older records: f32.'),
    graph: z.enum(['on', 'off', 'unavailable']).optional().describe('Decode steps replayed from a recording. Absent in older records.'),
  }),
});

/**
 * A process's time of measuring, written before its first measurement and only when there is one: the machine, its load, and the code, as they were when
 * the process began.
 */
const stretch = z.strictObject({ kind: z.literal('stretch'), time, id: z.string().min(1), environment: environmentSchema });

/** Closes a stretch. Absent after a kill: then neither the load at its end nor the substitutes of kernels are known. */
const stretchEnd = z.strictObject({
  kind: z.literal('stretchEnd'),
  time,
  stretch: z.string().min(1),
  loadAverage: z.array(z.number()),
  substitutions: z.array(z.string().min(1)).describe('What ran on another kernel than the one meant for it: sentences.'),
});

/** The address that a cell of the suite has now: written when it differs from the newest one of that id, which it supersedes. */
const cell = z.strictObject({
  kind: z.literal('cell'),
  ...ofCell,
  cellId: z.string().min(1),
  parts: z
    .record(z.string(), z.string())
    .describe('What the address is made of: a short value or its hash, so that a change can be named.'),
  sampleSet: hash.nullable().describe('Of a cell with samples: the sampleSet record that lists them.'),
});

/** The samples that a cell asks for, by content; the same for all methods of a comparison. */
const sampleSet = z.strictObject({ kind: z.literal('sampleSet'), time, set: hash, samples: z.array(hash) });

const plan = z.strictObject({
  kind: z.literal('plan'),
  ...measured,
  planHash: hash,
  path: z.string().describe('Relative to the run folder.'),
  reused: z.boolean(),
  wallMs: ms,
  /** The whole plan: a log explains itself without its files. */
  plan: planSchema,
});

const profile = z.strictObject({
  kind: z.literal('profile'),
  ...measured,
  profileHash: hash,
  path: z.string(),
  reused: z.boolean(),
  tokens: positive,
  samples: positive,
  bins: positive,
  lossMean: z.number().describe('Nats per answer token.'),
  wallMs: ms,
});

const front = z.strictObject({
  kind: z.literal('front'),
  ...measured,
  criterion: z.enum(['moa', 'joint']),
  solver: z.string(),
  wallMs: ms,
  /** The Pareto plans of one method: the loss objective at each profile length, densities, and the loss at the unseen validation length. */
  points: z.array(
    z.strictObject({
      planHash: hash,
      losses: byTokens,
      densities: byTokens,
      gap: z.number().min(0).nullable(),
      validationLoss: z.number().nullable(),
      chosen: z.boolean(),
    }),
  ),
});

const sample = z.strictObject({
  kind: z.literal('sample'),
  ...measured,
  part: z.enum(['retrieval', 'longbench']),
  sampleId: z.string().min(1),
  content,
  task: z.string(),
  category: z.string(),
  cluster: z.string().describe('Samples that share a document.'),
  length: positive.describe('Target length in tokens.'),
  depth: z.number().min(0).max(1).nullable().describe('Where the evidence sits; null without one place.'),
  promptTokens: positive,
  newTokens: count,
  finish: z.enum(['stop', 'length']),
  truncatedTokens: count.describe('Prompt tokens dropped to fit; 0 is healthy.'),
  /** Tokens between the evidence and the prompt's end; null without one place. Shows whether a window alone could see it. */
  evidenceDistance: count.nullable(),
  promptTail: z.string().max(2000),
  output: z.string(),
  expected: z.array(z.string()),
  score: z.number().min(0).max(1),
  correct: z.boolean().nullable(),
  kvBytes,
  prefillMs: ms.nullable(),
  decodeMs: ms.nullable(),
});

const loss = z.strictObject({
  kind: z.literal('loss'),
  ...measured,
  sampleId: z.string().min(1),
  content,
  task: z.string(),
  cluster: z.string(),
  length: positive,
  promptTokens: positive,
  answerTokens: positive,
  sumLoss: z.number().describe('Nats, summed over the answer tokens.'),
  kvBytes,
});

/** What the samples of a condition are made of; one for all methods, written before anything is compressed. The newest of a condition counts. */
const data = z.strictObject({
  kind: z.literal('data'),
  time,
  part: z.enum(['retrieval', 'longbench', 'perplexity']),
  task: z.string(),
  length: positive,
  reader: z.enum(['generated', 'longeval', 'longbench']),
  source: z.string(),
  revision: z.string(),
  licence: z.string(),
  files: z.array(
    z.strictObject({
      path: z.string().describe('As the suite names it.'),
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
      published: z.boolean().nullable().describe('Whether the hash is that of the published file of this name; null: that is not known.'),
    }),
  ),
  asked: positive,
  usable: positive
    .nullable()
    .describe('Well-formed samples in the files; null for generated ones, of which there are as many as asked for.'),
});

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
const measurement = z.strictObject({
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
const unfit = z.strictObject({
  kind: z.literal('unfit'),
  ...measured,
  ...timedCondition,
  reason: z.string().min(1).describe('Which memory ran out, and where.'),
});

const capacity = z.strictObject({
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

/** In version 1 only: what stretchEnd says now. */
const substitutions = z.strictObject({ kind: z.literal('substitutions'), time, sentences: z.array(z.string().min(1)) });

/** Closes a cell. Without one the cell was interrupted and is resumed from its samples. */
const outcomeCommon = { kind: z.literal('outcome'), ...ofCell, cellId: z.string().min(1) };
const outcome = z.discriminatedUnion('status', [
  z.strictObject({ ...outcomeCommon, status: z.literal('completed'), wallMs: ms }),
  z.strictObject({ ...outcomeCommon, status: z.literal('skipped'), reason: z.string().min(1) }),
  z.strictObject({
    ...outcomeCommon,
    status: z.literal('failed'),
    error: z.strictObject({ code: z.string(), message: z.string(), hint: z.string().nullable(), sampleId: z.string().nullable() }),
  }),
]);

/** The `cell` of those whose method has no plan: nothing of theirs can be reused. */
export const WITHOUT_PLAN = '00000000';

/** One line of records.jsonl. */
export const recordSchema = z.discriminatedUnion('kind', [
  run,
  stretch,
  stretchEnd,
  cell,
  sampleSet,
  plan,
  profile,
  front,
  sample,
  loss,
  data,
  measurement,
  unfit,
  capacity,
  outcome,
  substitutions,
]);
export type RunRecord = z.infer<typeof recordSchema>;
export type RecordKind = RunRecord['kind'];
export type RecordOf<K extends RecordKind> = Extract<RunRecord, { kind: K }>;

/** The records of one kind, in file order. */
export function recordsOf<K extends RecordKind>(records: readonly RunRecord[], kind: K): RecordOf<K>[] {
  return records.filter((record): record is RecordOf<K> => record.kind === kind);
}
