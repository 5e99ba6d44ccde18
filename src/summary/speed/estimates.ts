import { z } from 'zod';
import { CACHE_POLICIES } from '../../native/backend.ts';

/** What was timed: the prompt, or tokens after it. */
export const MEASURES = ['decode', 'prefill'] as const;
export type Measure = (typeof MEASURES)[number];

/** A typical time, a rate or a ratio of them, with its 95% interval: over processes, or over the rounds of the only one. null: too few to have one. */
const timed = z.strictObject({
  estimate: z.number(),
  low: z.number().nullable(),
  high: z.number().nullable(),
  processes: z.int().min(1),
  /** In all processes together. */
  rounds: z.int().min(1),
});
export type Timed = z.infer<typeof timed>;

const condition = {
  cache: z.enum(CACHE_POLICIES),
  length: z.int(),
  batch: z.int(),
};

/** A method's timings under one condition. All figures but quartile and median are of one estimator, the typical time, so that they rank methods alike. */
export const speedSchema = z.strictObject({
  ...condition,
  /** Typical time of one pass (a whole prefill, or the decode steps of a pass). */
  latencyMs: timed,
  /** Of all rounds: what the machine does when nothing disturbs it, and half the time. */
  lowerQuartileMs: z.number(),
  medianMs: z.number(),
  tokensPerSecond: timed,
  /** Tokens per second over those of the baseline's own cache; null without baseline. */
  speedup: timed.nullable(),
  kvBytes: z.strictObject({ planned: z.number(), resident: z.number() }),
  peakBytes: z.number().nullable(),
  rssBytes: z.number().nullable(),
});
export type Speed = z.infer<typeof speedSchema>;

export const unfitSchema = z.strictObject({ measure: z.enum(MEASURES), ...condition, reason: z.string() });
export type Unfit = z.infer<typeof unfitSchema>;

/** Two methods under the hardest condition of a measure. */
export const speedContrastSchema = z.strictObject({
  measure: z.enum(MEASURES),
  length: z.int(),
  batch: z.int(),
  method: z.string(),
  other: z.string(),
  /** Tokens per second of `method` over those of `other`. */
  ratio: timed,
  /** Of a ratio of 1, two-sided; null where there are too few rounds to test it. */
  p: z.number().min(0).max(1).nullable(),
  /** Holm-adjusted over the comparisons of the measure. */
  pHolm: z.number().min(0).max(1).nullable(),
  /** How many comparisons those are. */
  family: z.int().min(1),
});
export type SpeedContrast = z.infer<typeof speedContrastSchema>;
