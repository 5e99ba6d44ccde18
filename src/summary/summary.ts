import { z } from 'zod';
import { CACHE_POLICIES } from '../native/backend.ts';
import { ranModelSchema } from '../records/run-records.ts';
import { speedContrastSchema, speedSchema, unfitSchema } from './speed/estimates.ts';

/** Version of summary.json. */
export const SUMMARY_VERSION = 2;

/** A point with its 95% interval; n is what it was computed from. */
const estimateSchema = z.strictObject({ estimate: z.number(), low: z.number(), high: z.number(), n: z.int().min(0) });

/** An estimate whose interval is null where the data allow none: too few samples a task, or none that differ. */
const pointSchema = z.strictObject({ ...estimateSchema.shape, low: z.number().nullable(), high: z.number().nullable() });
export type Point = z.infer<typeof pointSchema>;

/** Paired comparison with another method on the same samples: own minus other's. */
export const pairedSchema = z.strictObject({
  other: z.string(),
  delta: pointSchema,
  test: z.enum(['mcnemar-mid-p', 'stratified-t']),
  /** null where the data allow no test. */
  p: z.number().min(0).max(1).nullable(),
  /** Holm-adjusted over the family (see `families`); what is said follows from it. */
  pHolm: z.number().min(0).max(1).nullable(),
  /** How many comparisons its family holds; 0 without a test. */
  comparisons: z.int().min(0),
  /** Samples on which the other did better, and worse. */
  lost: z.int().min(0),
  gained: z.int().min(0),
});
export type Paired = z.infer<typeof pairedSchema>;

const retrievalAtLength = z.strictObject({
  length: z.int(),
  correct: z.int(),
  accuracy: estimateSchema, // Wilson
  /** Whether the cell ended and has all samples; otherwise nothing is concluded from it. */
  whole: z.boolean(),
  toBaseline: pairedSchema.nullable(),
});

const depthCell = z.strictObject({
  length: z.int(),
  depthLow: z.number(),
  depthHigh: z.number(),
  correct: z.int(),
  accuracy: estimateSchema,
});

/** Longest tested length up to which accuracy stays at or above the threshold, with its interval in tested lengths (Jeffreys, isotonic). 0: none. */
const effectiveContext = z.strictObject({
  threshold: z.number(),
  tokens: z.int(),
  low: z.int(),
  high: z.int(),
  longestTested: z.int(),
});

const retrieval = z.strictObject({
  task: z.string(),
  lengths: z.array(retrievalAtLength),
  depths: z.array(depthCell),
  /** Unweighted mean over the lengths common to all methods (see `common`): Wilson at the effective number of samples; null without such a length. */
  mean: estimateSchema.nullable(),
  meanToBaseline: pairedSchema.nullable(),
  /** Over the same lengths. */
  effectiveContext: effectiveContext.nullable(),
});

const score = z.strictObject({
  name: z.string(),
  score: pointSchema,
  /** Ratio of means to the baseline (Fieller); null without a baseline, or where that scores 0. */
  relative: pointSchema.nullable(),
});
const scores = z.strictObject({
  length: z.int(),
  tasks: z.array(score.extend({ category: z.string(), whole: z.boolean() })),
  /** Of the tasks common to all methods (see `common`). */
  categories: z.array(score),
  /** Unweighted mean over the same tasks; null without one. */
  mean: score.nullable(),
  meanToBaseline: pairedSchema.nullable(),
});

const perplexity = z.strictObject({
  length: z.int(),
  /** Nats per answer token, the unweighted mean over the tasks common to all methods; null without one. Its exponential is the perplexity. */
  loss: pointSchema.nullable(),
  /** Difference of the losses in nats per answer token; its exponential is the ratio of perplexities. */
  toBaseline: pairedSchema.nullable(),
  tasks: z.array(z.strictObject({ task: z.string(), loss: pointSchema, whole: z.boolean() })),
});

/** Conditions over which all methods are compared, and those of the suite that some method lacks. */
const conditions = <T extends z.ZodType>(condition: T) => z.strictObject({ used: z.array(condition), leftOut: z.array(condition) });

const capacity = z.strictObject({
  cache: z.enum(CACHE_POLICIES),
  length: z.int(),
  memoryLimitBytes: z.number(),
  maxBatch: z.int(),
  stopped: z.enum(['memory', 'largest']),
  ratioToBaseline: z.number().nullable(),
});

const memoryAtLength = z.strictObject({
  length: z.int(),
  planned: z.number(),
  resident: z.number(),
  ratioToBaseline: z.number().nullable(),
  n: z.int(),
});

const methodSummarySchema = z.strictObject({
  id: z.string(),
  label: z.string(),
  method: z.string(),
  heterogeneity: z.string().nullable(),
  planHash: z.string().nullable(),
  /** Densities that the plan states, by N. */
  density: z.array(z.strictObject({ tokens: z.int(), density: z.number() })),
  /** Mean KV bytes per sequence over scored samples, by target length. */
  kvBytes: z.array(memoryAtLength),
  retrieval: retrieval.nullable(),
  scores: scores.nullable(),
  perplexity: perplexity.nullable(),
  prefill: z.array(speedSchema),
  decode: z.array(speedSchema),
  /** Conditions whose memory ran out. */
  unfit: z.array(unfitSchema),
  maxBatch: z.array(capacity),
});
export type MethodSummary = z.infer<typeof methodSummarySchema>;

/** What the samples of a condition are made of, and how many of them count. */
const dataSummary = z.strictObject({
  part: z.enum(['retrieval', 'longbench', 'perplexity']),
  task: z.string(),
  length: z.int(),
  reader: z.enum(['generated', 'longeval', 'longbench']),
  source: z.string(),
  revision: z.string(),
  licence: z.string(),
  files: z.array(z.strictObject({ path: z.string(), sha256: z.string(), published: z.boolean().nullable() })),
  asked: z.int(),
  /** null: generated, as many as asked for. */
  usable: z.int().nullable(),
  /** Different samples that some method answered, and those of them that were cut to fit. */
  used: z.int(),
  truncated: z.int(),
});
export type DataSummary = z.infer<typeof dataSummary>;

/** A hygiene check: what was looked at, and whether it passed. Failed ones threaten the conclusions and are printed first. */
const checkSchema = z.strictObject({
  id: z.string(),
  status: z.enum(['passed', 'failed', 'untested']),
  severity: z.enum(['blocking', 'warning', 'note']),
  message: z.string(),
});
export type Check = z.infer<typeof checkSchema>;

export const summarySchema = z.strictObject({
  version: z.literal(SUMMARY_VERSION),
  title: z.string(),
  description: z.string().nullable(),
  suite: z.strictObject({ name: z.string(), hash: z.string() }),
  finished: z.string().nullable(),
  command: z.string().nullable(),
  model: ranModelSchema.nullable(),
  backend: z.string().nullable(),
  baseline: z.string(),
  methods: z.array(methodSummarySchema),
  data: z.array(dataSummary),
  /** What means and comparisons are over: retrieval lengths, tasks, and tasks of the losses. */
  common: z.strictObject({ lengths: conditions(z.int()), tasks: conditions(z.string()), lossTasks: conditions(z.string()) }),
  /** Paired retrieval contrasts of methods with methods that have as many KV bytes ('equal': within 2%), or more of them. */
  contrasts: z.array(
    z.strictObject({
      method: z.string(),
      length: z.int().nullable(),
      budget: z.enum(['equal', 'fewer']),
      /** Own KV bytes over the other's, at the length where they are fewest. */
      leastBytesRatio: z.number(),
      paired: pairedSchema,
    }),
  ),
  /** Comparisons that are adjusted together. */
  families: z.array(z.strictObject({ name: z.string(), comparisons: z.int() })),
  /** Methods compared in speed, each measure under its hardest condition; Holm-adjusted within each measure. */
  speedContrasts: z.array(speedContrastSchema),
  checks: z.array(checkSchema),
  /** Sentences in plain words, each with its interval and n. */
  verdicts: z.array(z.string()),
  cells: z.strictObject({
    /** How many the suite has. */
    expected: z.int(),
    completed: z.int(),
    /** Ids of cells that did not run, or whose records are stale. */
    missing: z.array(z.string()),
    skipped: z.array(z.strictObject({ cellId: z.string(), reason: z.string() })),
    failed: z.array(z.strictObject({ cellId: z.string(), message: z.string() })),
  }),
});
/** What the records of a run say: estimates with their intervals, comparisons, checks; the content of summary.json. */
export type Summary = z.infer<typeof summarySchema>;
