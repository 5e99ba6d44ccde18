import { z } from 'zod';
import { CACHE_POLICIES } from '../../native/backend.ts';

/** What was timed: processing the prompt (prefill), or producing the tokens after it (decode). */
export const MEASURES = ['decode', 'prefill'] as const;
export type Measure = (typeof MEASURES)[number];

/**
 * A typical time, a rate, or a ratio of these, with its 95% interval. The interval is over processes; with only one process it is over the rounds of that process.
 * `low` and `high` are null when there are too few processes or rounds for an interval.
 */
const timed = z.strictObject({
  estimate: z.number(),
  low: z.number().nullable(),
  high: z.number().nullable(),
  processes: z.int().min(1),
  /** Number of rounds in all processes together. */
  rounds: z.int().min(1),
});
export type Timed = z.infer<typeof timed>;

const condition = {
  cache: z.enum(CACHE_POLICIES),
  length: z.int(),
  batch: z.int(),
};

/**
 * A method's timings under one condition. All figures except the quartile and the median come from one estimator, the typical time, so that they rank methods
 * alike.
 */
export const speedSchema = z.strictObject({
  ...condition,
  /** Typical time in ms of one pass. A pass is a whole prefill, or several decode steps. */
  latencyMs: timed,
  /** Quartile and median of the times of all rounds. The lower quartile is close to what the machine does when nothing disturbs it. */
  lowerQuartileMs: z.number(),
  medianMs: z.number(),
  tokensPerSecond: timed,
  /** Tokens per second divided by those of the baseline with its own cache; null for that one itself, or when the baseline was not timed beside this method. */
  speedup: timed.nullable(),
  kvBytes: z.strictObject({ planned: z.number(), resident: z.number() }),
  peakBytes: z.number().nullable(),
  rssBytes: z.number().nullable(),
});
export type Speed = z.infer<typeof speedSchema>;

export const unfitSchema = z.strictObject({ measure: z.enum(MEASURES), ...condition, reason: z.string() });
export type Unfit = z.infer<typeof unfitSchema>;

/** A comparison of two methods under the hardest condition of a measure. */
export const speedContrastSchema = z.strictObject({
  measure: z.enum(MEASURES),
  length: z.int(),
  batch: z.int(),
  method: z.string(),
  other: z.string(),
  /** Tokens per second of `method` divided by those of `other`. */
  ratio: timed,
  /** Two-sided p-value of a ratio of 1; null when there are too few rounds for a test. */
  p: z.number().min(0).max(1).nullable(),
  /** Holm-adjusted over the tested comparisons of the measure; null without a test. */
  pHolm: z.number().min(0).max(1).nullable(),
  /** How many tested comparisons the measure has: those that `pHolm` is adjusted over. */
  family: z.int().min(0),
});
export type SpeedContrast = z.infer<typeof speedContrastSchema>;
