import { z } from 'zod';
import { CACHE_POLICIES } from '../../native/backend.ts';
import { ranModelSchema } from '../../records/run-records.ts';
import { MEASURES } from '../speed/estimates.ts';
import { pairedSchema } from '../summary.ts';
import { VERDICTS } from './rules.ts';

/** Version of what `moabench compare --json` prints. */
export const COMPARISON_VERSION = 1;

const verdict = z.enum(VERDICTS);
const partSchema = z.enum(['retrieval', 'longbench', 'perplexity']);
export type Part = z.infer<typeof partSchema>;

/** What every compared thing has: of which method, what was found, and why. */
const found = {
  /** HEAD's id of the method. */
  method: z.string(),
  verdict,
  /** In words; empty where the numbers say it. */
  reason: z.string(),
};

/** Scores of the same samples. */
const qualityRow = z.strictObject({
  ...found,
  part: partSchema,
  /** null: all tasks and lengths of the part that both runs have. */
  task: z.string().nullable(),
  length: z.int().nullable(),
  /** Means over the same samples: shares of right answers, scores, or nats per answer token; null where nothing could be paired. */
  base: z.number().nullable(),
  head: z.number().nullable(),
  /** HEAD minus BASE; of nats per token, more is worse. null as above. */
  paired: pairedSchema.nullable(),
  /** Samples that both runs have, by content; of them those with the same answer, word for word, or the same loss but for rounding. */
  samples: z.int(),
  identical: z.int(),
  /** Samples of one run only. */
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
  /** HEAD's time over BASE's, with its 95% interval over processes; above 1 is slower. */
  ratio: z.strictObject({ estimate: z.number(), low: z.number().nullable(), high: z.number().nullable() }),
  p: z.number().min(0).max(1).nullable(),
  /** Holm-adjusted over the comparisons of its measure. */
  pHolm: z.number().min(0).max(1).nullable(),
  comparisons: z.int(),
  /** Whether the two are shown to lie within the threshold of each other, both ways. */
  equivalent: z.boolean().nullable(),
});
export type TimingRow = z.infer<typeof timingRow>;

/** Bytes, and what memory holds. */
const memoryRow = z.strictObject({
  ...found,
  what: z.enum(['kv', 'peak', 'maxBatch', 'fits']),
  /** null: of scored samples. */
  measure: z.enum(MEASURES).nullable(),
  length: z.int(),
  batch: z.int().nullable(),
  cache: z.enum(CACHE_POLICIES).nullable(),
  /** Bytes; sequences for maxBatch; 1 and 0 for fits. */
  base: z.number(),
  head: z.number(),
  /** Share by which HEAD may have more (fewer sequences) and count as the same. */
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
  /** Commits of what counts, with a star where there were uncommitted changes. */
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
  /** The two-sided level of each family. */
  level: z.number(),
  base: sideSchema,
  head: sideSchema,
  methods: z.array(z.strictObject({ base: z.string(), head: z.string(), label: z.string() })),
  /** Each method over all that both runs have: these decide. */
  quality: z.array(qualityRow),
  /** Single tasks and lengths: only a collapse decides. */
  tasks: z.array(qualityRow),
  timings: z.array(timingRow),
  memory: z.array(memoryRow),
  endings: z.array(endingRow),
  families: z.array(z.strictObject({ name: z.string(), comparisons: z.int() })),
  /** The largest losses first, then the largest gains; `left` were left out. */
  flips: z.strictObject({ lost: z.array(flipSchema), gained: z.array(flipSchema), left: z.int() }),
  /** Cells that one run has and the other does not ask for. */
  onlyBase: z.array(z.string()),
  onlyHead: z.array(z.string()),
  /** What else differs, in sentences. */
  notes: z.array(z.string()),
});
export type Comparison = z.infer<typeof comparisonSchema>;
