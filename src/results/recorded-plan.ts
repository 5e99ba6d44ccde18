import { z } from 'zod';

const matrix = z.array(z.array(z.number()));

/** What the report needs of a plan; the whole plan is the file that the record names. */
export const recordedPlanSchema = z.strictObject({
  name: z.string(),
  method: z.string(),
  heterogeneity: z.enum(['uniform', 'layers', 'heads', 'elastic']).nullable(),
  block: z.int().min(1),
  sink: z.int().min(0),
  /** Tokens and ratio, [layers][kvHeads]. */
  rules: z.strictObject({ alpha: matrix, beta: matrix }),
  densities: z.record(z.string().regex(/^\d+$/), z.number()),
  /** Spans in slots, [layers * kvHeads], at the lengths of the suite. */
  spans: z.record(z.string().regex(/^\d+$/), z.array(z.int().min(0))),
});
export type RecordedPlan = z.infer<typeof recordedPlanSchema>;
