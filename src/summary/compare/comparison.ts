import { z } from 'zod';
import { CACHE_POLICIES } from '../../native/backend.ts';
import { ranModelSchema } from '../../records/run-records.ts';
import { MEASURES } from '../speed/estimates.ts';
import { pairedSchema } from '../summary.ts';
import { VERDICTS } from './rules.ts';

/** Version of the format that `moabench compare --json` prints. */
export const COMPARISON_VERSION = 1;

const verdict = z.enum(VERDICTS);
const partSchema = z.enum(['retrieval', 'longbench', 'perplexity']);
export type Part = z.infer<typeof partSchema>;

/** The fields of every row: the method, the verdict and the reason for the verdict. */
const found = {
  /** HEAD's id of the method. */
  method: z.string(),
  verdict,
  /** The reason in words; empty where the numbers alone show it. */
  reason: z.string(),
};

/** Scores of the same samples. */
const qualityRow = z.strictObject({
  ...found,
  part: partSchema,
  /** null: the row is over all tasks and lengths of the part that both runs have. */
  task: z.string().nullable(),
  length: z.int().nullable(),
  /** Means over the same samples: shares of right answers 0..1, scores 0..1, or nats per answer token. null when no sample could be paired. */
  base: z.number().nullable(),
  head: z.number().nullable(),
  /** HEAD minus BASE. For nats per token, more is worse. null when no sample could be paired. */
  paired: pairedSchema.nullable(),
  /** `samples`: how many samples (by content) both runs have. `identical`: how many of these have the same answer, word for word, or the same loss but for rounding. */
  samples: z.int(),
  identical: z.int(),
  /** How many samples only one of the runs has. */
  onlyBase: z.int(),
  onlyHead: z.int(),
});
export type QualityRow = z.infer<typeof qualityRow>;

const typicalTime = z.strictObject({ ms: z.number(), processes: z.int(), rounds: z.int() });
const condition = { measure: z.enum(MEASURES), length: z.int(), batch: z.int(), cache: z.enum(CACHE_POLICIES) };

/** Times of one method under one condition. */
const timingRow = z.strictObject({
  ...found,
  ...condition,
  base: typicalTime,
  head: typicalTime,
  /** HEAD's time divided by BASE's, with the 95% interval over processes. Above 1, HEAD is slower. */
  ratio: z.strictObject({ estimate: z.number(), low: z.number().nullable(), high: z.number().nullable() }),
  p: z.number().min(0).max(1).nullable(),
  /** Holm-adjusted over the comparisons of its measure. */
  pHolm: z.number().min(0).max(1).nullable(),
  comparisons: z.int(),
  /** Whether HEAD is shown to be neither slower nor faster than BASE by the threshold; null when the row is not judged or has no interval. */
  equivalent: z.boolean().nullable(),
});
export type TimingRow = z.infer<typeof timingRow>;

/** Bytes of memory, largest batches, and what fits into memory at all. */
const memoryRow = z.strictObject({
  ...found,
  what: z.enum(['kv', 'peak', 'maxBatch', 'fits']),
  /** null: the row is about scored samples (kv) or the largest batch (maxBatch). */
  measure: z.enum(MEASURES).nullable(),
  length: z.int(),
  batch: z.int().nullable(),
  cache: z.enum(CACHE_POLICIES).nullable(),
  /** Bytes for kv and peak; sequences for maxBatch; 1 (fits) or 0 (does not) for fits. */
  base: z.number(),
  head: z.number(),
  /** The share by which HEAD may differ from BASE and still count as the same. */
  tolerance: z.number(),
});
export type MemoryRow = z.infer<typeof memoryRow>;

/** A cell that BASE completed and HEAD did not. */
const endingRow = z.strictObject({ ...found, cellId: z.string(), head: z.enum(['failed', 'skipped', 'unfinished']) });
export type EndingRow = z.infer<typeof endingRow>;

/** A sample whose score changed. */
const answer = z.strictObject({ score: z.number(), output: z.string() });
const flipSchema = z.strictObject({
  method: z.string(),
  part: z.enum(['retrieval', 'longbench']),
  task: z.string(),
  length: z.int(),
  sampleId: z.string(),
  content: z.string(),
  expected: z.array(z.string()),
  base: answer,
  head: answer,
});
export type Flip = z.infer<typeof flipSchema>;

const sideSchema = z.strictObject({
  /** As the user named it. */
  folder: z.string(),
  suite: z.string(),
  version: z.string(),
  model: ranModelSchema,
  backend: z.string(),
  /** Commits of the code that measured the records in use. A star marks a commit with uncommitted changes. */
  commits: z.array(z.string()),
  finished: z.string(),
});
export type SideFacts = z.infer<typeof sideSchema>;

export const comparisonSchema = z.strictObject({
  format: z.literal('moabench-comparison'),
  version: z.literal(COMPARISON_VERSION),
  verdict,
  /** The verdict in a sentence. */
  sentence: z.string(),
  rules: z.strictObject({ margin: z.number(), slower: z.number() }),
  /** The two-sided error level of each family, 0..1. */
  level: z.number(),
  base: sideSchema,
  head: sideSchema,
  methods: z.array(z.strictObject({ base: z.string(), head: z.string(), label: z.string() })),
  /** Each method over all tasks and lengths that both runs have. All of these rows decide. */
  quality: z.array(qualityRow),
  /** Single tasks and lengths. Such a row decides only when its task collapses. */
  tasks: z.array(qualityRow),
  timings: z.array(timingRow),
  memory: z.array(memoryRow),
  endings: z.array(endingRow),
  families: z.array(z.strictObject({ name: z.string(), comparisons: z.int() })),
  /** Samples whose score changed, the largest change first. `left`: how many are not listed. */
  flips: z.strictObject({ lost: z.array(flipSchema), gained: z.array(flipSchema), left: z.int() }),
  /** Ids of cells that one run completed and the other does not ask for. */
  onlyBase: z.array(z.string()),
  onlyHead: z.array(z.string()),
  /** Sentences about other differences of the two runs, and about what was not judged. */
  notes: z.array(z.string()),
});
export type Comparison = z.infer<typeof comparisonSchema>;
