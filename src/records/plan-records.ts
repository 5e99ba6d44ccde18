import { z } from 'zod';
import { planSchema } from '../plan/schema.ts';
import { semanticsSchema } from '../suite/semantics.ts';
import { byTokens, hash, measured, ms, positive } from './fields.ts';

// What compression leaves: plans, the profiles that they rest on, and the fronts that they were chosen from.

export const plan = z.strictObject({
  kind: z.literal('plan'),
  ...measured,
  planHash: hash,
  path: z.string().describe('Relative to the run folder.'),
  reused: z.boolean(),
  wallMs: ms,
  /** The whole plan: a log explains itself without its files. */
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
  /** Missing in records made before 0.2, which were all `exact`, but for the criterion. */
  semantics: semanticsSchema.optional(),
  solver: z.string(),
  wallMs: ms,
  /** The Pareto plans of one method: the loss objective at each profile length, densities, and the loss at the unseen validation length. */
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
