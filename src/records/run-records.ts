import { z } from 'zod';
import { environmentSchema } from './environment.ts';
import { count, hash, ms, ofCell, positive, time } from './fields.ts';
import { RECORD_VERSION } from './version.ts';

// Records of the run itself: its model and backend, its stretches of measuring, its cells, their samples and how the cells ended.

/** The model that was run. */
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

export const run = z.strictObject({
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
 * A stretch of measuring: the time in which one process measured. It holds the machine, its load and the code as they were when the process began. It is
 * written just before the first measurement, so a process that measures nothing writes none.
 */
export const stretch = z.strictObject({ kind: z.literal('stretch'), time, id: z.string().min(1), environment: environmentSchema });

/**
 * Closes a stretch. It is missing when the process was killed. Then it is not known how busy the machine was at the end, nor which ops ran on another kernel
 * than the one meant for them.
 */
export const stretchEnd = z.strictObject({
  kind: z.literal('stretchEnd'),
  time,
  stretch: z.string().min(1),
  loadAverage: z.array(z.number()),
  substitutions: z.array(z.string().min(1)).describe('What ran on another kernel than the one meant for it: sentences.'),
});

/** The address (content hash) that a cell of the suite has now. It is written when the address has changed, and replaces the earlier one of the same cell id. */
export const cell = z.strictObject({
  kind: z.literal('cell'),
  ...ofCell,
  cellId: z.string().min(1),
  parts: z
    .record(z.string(), z.string())
    .describe('What the address is made of: a short value or its hash, so that a change can be named.'),
  sampleSet: hash.nullable().describe('Of a cell with samples: the sampleSet record that lists them.'),
});

/** The content hashes of the samples that a cell asks for. All methods that are compared have the same set. */
export const sampleSet = z.strictObject({ kind: z.literal('sampleSet'), time, set: hash, samples: z.array(hash) });

/**
 * Where the samples of a condition (part, task and length) come from. All methods share the record. It is written before anything is compressed, and the newest
 * record of a condition counts.
 */
export const data = z.strictObject({
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

/** Only in version 1. Later versions have `substitutions` in stretchEnd instead. */
export const substitutions = z.strictObject({ kind: z.literal('substitutions'), time, sentences: z.array(z.string().min(1)) });

/** Closes a cell. A cell without an outcome was interrupted; it goes on from the samples that are already on record. */
const outcomeCommon = { kind: z.literal('outcome'), ...ofCell, cellId: z.string().min(1) };
export const outcome = z.discriminatedUnion('status', [
  z.strictObject({ ...outcomeCommon, status: z.literal('completed'), wallMs: ms }),
  z.strictObject({ ...outcomeCommon, status: z.literal('skipped'), reason: z.string().min(1) }),
  z.strictObject({
    ...outcomeCommon,
    status: z.literal('failed'),
    error: z.strictObject({ code: z.string(), message: z.string(), hint: z.string().nullable(), sampleId: z.string().nullable() }),
  }),
]);
