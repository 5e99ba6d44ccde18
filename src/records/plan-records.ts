import { z } from 'zod';
import { planSchema } from '../plan/schema.ts';
import { semanticsSchema } from '../suite/semantics.ts';
import { byTokens, hash, measured, ms, positive } from './fields.ts';

// The results of compression: plans, the profiles from which they are made, and the Pareto fronts from which they were chosen.

export const plan = z.strictObject({
  kind: z.literal('plan'),
  ...measured,
  planHash: hash,
  path: z.string().describe('Relative to the run folder.'),
  reused: z.boolean(),
  wallMs: ms,
  /** The whole plan, so that the log can be understood without the plan files. */
  plan: planSchema,
});

export const profile = z.strictObject({
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

export const front = z.strictObject({
  kind: z.literal('front'),
  ...measured,
  criterion: z.enum(['moa', 'joint']),
  /** Absent in records made before version 0.2. All choices of those were `exact`, except that their criterion could differ. */
  semantics: semanticsSchema.optional(),
  solver: z.string(),
  wallMs: ms,
  /**
   * The Pareto plans of one method: the loss objective and the density at each profile length, and the loss at the validation length, which the optimizer did
   * not see.
   */
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
