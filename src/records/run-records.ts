import { z } from 'zod';
import { environmentSchema } from './environment.ts';
import { count, hash, ms, ofCell, positive, time } from './fields.ts';
import { RECORD_VERSION } from './version.ts';

// What a run is, what it consists of, and how its cells ended.

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
 * A process's time of measuring, written before its first measurement and only when there is one: the machine, its load, and the code, as they were when
 * the process began.
 */
export const stretch = z.strictObject({ kind: z.literal('stretch'), time, id: z.string().min(1), environment: environmentSchema });

/** Closes a stretch. Absent after a kill: then neither the load at its end nor the substitutes of kernels are known. */
export const stretchEnd = z.strictObject({
  kind: z.literal('stretchEnd'),
  time,
  stretch: z.string().min(1),
  loadAverage: z.array(z.number()),
  substitutions: z.array(z.string().min(1)).describe('What ran on another kernel than the one meant for it: sentences.'),
});

/** The address that a cell of the suite has now: written when it differs from the newest one of that id, which it supersedes. */
export const cell = z.strictObject({
  kind: z.literal('cell'),
  ...ofCell,
  cellId: z.string().min(1),
  parts: z
    .record(z.string(), z.string())
    .describe('What the address is made of: a short value or its hash, so that a change can be named.'),
  sampleSet: hash.nullable().describe('Of a cell with samples: the sampleSet record that lists them.'),
});

/** The samples that a cell asks for, by content; the same for all methods of a comparison. */
export const sampleSet = z.strictObject({ kind: z.literal('sampleSet'), time, set: hash, samples: z.array(hash) });

/** What the samples of a condition are made of; one for all methods, written before anything is compressed. The newest of a condition counts. */
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

/** In version 1 only: what stretchEnd says now. */
export const substitutions = z.strictObject({ kind: z.literal('substitutions'), time, sentences: z.array(z.string().min(1)) });

/** Closes a cell. Without one the cell was interrupted and is resumed from its samples. */
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
