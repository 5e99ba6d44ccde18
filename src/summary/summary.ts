import { z } from 'zod';
import { CACHE_POLICIES } from '../native/backend.ts';
import { ranModelSchema } from '../records/run-records.ts';
import { speedContrastSchema, speedSchema, unfitSchema } from './speed/estimates.ts';

/** Version of summary.json. */
export const SUMMARY_VERSION = 2;

/** An estimate with its 95% interval. n: the number of samples from which it was computed. */
const estimateSchema = z.strictObject({ estimate: z.number(), low: z.number(), high: z.number(), n: z.int().min(0) });

/** An estimate whose interval is null when the data allow none, because a task has too few samples or all samples have the same score. */
const pointSchema = z.strictObject({ ...estimateSchema.shape, low: z.number().nullable(), high: z.number().nullable() });
export type Point = z.infer<typeof pointSchema>;

/** A paired comparison with the method `other` on the same samples. `delta`: own value minus the other's. */
export const pairedSchema = z.strictObject({
  other: z.string(),
  delta: pointSchema,
  test: z.enum(['mcnemar-mid-p', 'stratified-t']),
  /** null where the data allow no test. */
  p: z.number().min(0).max(1).nullable(),
  /** Holm-adjusted over the family (see `families`). Verdicts rest on this p-value. */
  pHolm: z.number().min(0).max(1).nullable(),
  /** How many comparisons the family has; 0 without a test. */
  comparisons: z.int().min(0),
  /** `lost`: on how many samples the other method scored higher. `gained`: on how many it scored lower. */
  lost: z.int().min(0),
  gained: z.int().min(0),
});
export type Paired = z.infer<typeof pairedSchema>;

const retrievalAtLength = z.strictObject({
  length: z.int(),
  correct: z.int(),
  accuracy: estimateSchema, // Wilson
  /** Whether the cell completed and has all samples. Nothing is concluded from a cell that is not whole. */
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

/**
 * The longest tested length up to which accuracy stays at or above the threshold, 0 when there is none. The interval is in tested lengths (Jeffreys, isotonic).
 */
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
  /**
   * Unweighted mean over the lengths common to all methods (see `common`), with the Wilson interval at the effective number of samples. null when there is no such
   * length.
   */
  mean: estimateSchema.nullable(),
  meanToBaseline: pairedSchema.nullable(),
  /** Over the same lengths as `mean`. */
  effectiveContext: effectiveContext.nullable(),
});

const score = z.strictObject({
  name: z.string(),
  score: pointSchema,
  /** Ratio of the mean to the baseline's mean (Fieller interval); null without a baseline, or when the baseline scores 0. */
  relative: pointSchema.nullable(),
});
const scores = z.strictObject({
  length: z.int(),
  tasks: z.array(score.extend({ category: z.string(), whole: z.boolean() })),
  /** Means of categories, over the tasks common to all methods (see `common`). */
  categories: z.array(score),
  /** Unweighted mean over the same tasks; null when there is no such task. */
  mean: score.nullable(),
  meanToBaseline: pairedSchema.nullable(),
});

const perplexity = z.strictObject({
  length: z.int(),
  /** Nats per answer token: the unweighted mean over the tasks common to all methods; null when there is no such task. exp(loss) is the perplexity. */
  loss: pointSchema.nullable(),
  /** Difference of the losses in nats per answer token. Its exponential is the ratio of the perplexities. */
  toBaseline: pairedSchema.nullable(),
  tasks: z.array(z.strictObject({ task: z.string(), loss: pointSchema, whole: z.boolean() })),
});

/** `used`: the conditions over which all methods are compared. `leftOut`: the conditions that some method lacks. */
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
  /** Densities by N: at the lengths that the plan states, and at the lengths that the suite scores. */
  density: z.array(z.strictObject({ tokens: z.int(), density: z.number() })),
  /** Mean KV bytes per sequence over the scored samples, by target length. */
  kvBytes: z.array(memoryAtLength),
  retrieval: retrieval.nullable(),
  scores: scores.nullable(),
  perplexity: perplexity.nullable(),
  prefill: z.array(speedSchema),
  decode: z.array(speedSchema),
  /** Conditions under which memory ran out. */
  unfit: z.array(unfitSchema),
  maxBatch: z.array(capacity),
});
export type MethodSummary = z.infer<typeof methodSummarySchema>;

/** Where the samples of a condition come from, and how many of them were used. */
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
  /** How many well-formed samples the files have; null for generated samples, of which there are as many as asked for. */
  usable: z.int().nullable(),
  /** `used`: how many different samples some method answered. `truncated`: how many of these were cut to fit. */
  used: z.int(),
  truncated: z.int(),
});
export type DataSummary = z.infer<typeof dataSummary>;

/** A hygiene check: whether it passed, and what it saw. A failed check threatens the conclusions and is printed first. */
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
  /** The conditions over which means and comparisons are taken: retrieval lengths, scored tasks, and tasks whose loss was measured. */
  common: z.strictObject({ lengths: conditions(z.int()), tasks: conditions(z.string()), lossTasks: conditions(z.string()) }),
  /** Paired comparisons in retrieval. The other method has as many KV bytes (`equal`: within 2%), or more, so that the own bytes are `fewer`. */
  contrasts: z.array(
    z.strictObject({
      method: z.string(),
      length: z.int().nullable(),
      budget: z.enum(['equal', 'fewer']),
      /** Own KV bytes divided by the other's, at the length where this is least. */
      leastBytesRatio: z.number(),
      paired: pairedSchema,
    }),
  ),
  /** The families of comparisons that are adjusted together. */
  families: z.array(z.strictObject({ name: z.string(), comparisons: z.int() })),
  /** Comparisons in speed, for each measure under its hardest condition, Holm-adjusted within the measure. */
  speedContrasts: z.array(speedContrastSchema),
  checks: z.array(checkSchema),
  /** The findings in sentences, with intervals and n. */
  verdicts: z.array(z.string()),
  cells: z.strictObject({
    /** How many cells the suite has. */
    expected: z.int(),
    completed: z.int(),
    /** Ids of cells that did not run or did not finish, or whose records are stale. */
    missing: z.array(z.string()),
    skipped: z.array(z.strictObject({ cellId: z.string(), reason: z.string() })),
    failed: z.array(z.strictObject({ cellId: z.string(), message: z.string() })),
  }),
});
/** What the records of a run say: estimates with their intervals, comparisons and checks. This is the content of summary.json. */
export type Summary = z.infer<typeof summarySchema>;
