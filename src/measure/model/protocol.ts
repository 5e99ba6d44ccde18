import { z } from 'zod';
import { ERROR_CODES } from '../../core/errors.ts';
import { planSchema } from '../../plan/schema.ts';

/** The protocol between a bench and its fresh process: one JSON object on each line; one request, then progress and one reply. */

const positive = z.int().min(1);

/** Time of decode steps of several methods, from caches that are filled to a context. */
const wholeStep = z.strictObject({
  kind: z.literal('whole-step'),
  tokens: positive,
  /** A plan that is timed beside dense and uniform spans. Uniform spans have the density of the plan; without a plan, a density of 0.5. */
  plan: planSchema.nullable(),
  /** Sequences of the dense cache; null: as many as fit into the share `memory` of the device's memory. */
  batch: positive.nullable(),
  memory: z.number().gt(0).max(1),
  /** Decode steps in one timing. */
  steps: positive,
  rounds: positive,
});
export type WholeStepRequest = z.infer<typeof wholeStep>;

/** Time and memory of a profiling sample against the dense prefill of the same tokens. */
const profile = z.strictObject({ kind: z.literal('profile-vs-prefill'), lengths: z.array(positive).min(1), rounds: positive });
export type ProfileRequest = z.infer<typeof profile>;

/** Device time of every op of one prefill, one profiling sample and one decode step. */
const opTimes = z.strictObject({ kind: z.literal('op-times'), tokens: positive });
export type OpTimesRequest = z.infer<typeof opTimes>;

export const requestSchema = z.strictObject({
  model: z.string(),
  backend: z.strictObject({ name: z.enum(['cpu', 'cuda']), threads: z.int().optional(), device: z.int().optional() }),
  /** Seed of the random order of rounds; every process has another one. */
  seed: z.string(),
  work: z.discriminatedUnion('kind', [wholeStep, profile, opTimes]),
});
export type ModelBenchRequest = z.infer<typeof requestSchema>;

const samples = z.array(z.number().positive()).min(1);

export const wholeStepSchema = z.strictObject({
  density: z.number(),
  /** The read ceiling of this process in bytes per second. */
  readCeiling: z.number(),
  /** Bytes of the weights that a step reads: all weights except an embedding that is not tied to the output head. */
  weightBytes: z.number(),
  rows: z.array(
    z.union([
      z.strictObject({
        id: z.string(),
        graph: z.enum(['on', 'off']),
        batch: z.int(),
        /** Bytes of live keys and values, mean over the steps of a timing. */
        kvBytes: z.number(),
        peakBytes: z.number(),
        /** Time of one step, one sample per round. */
        stepMs: samples,
      }),
      z.strictObject({ id: z.string(), graph: z.enum(['on', 'off']), batch: z.int(), reason: z.string() }),
    ]),
  ),
});
export type WholeStepProcess = z.infer<typeof wholeStepSchema>;

export const profileSchema = z.strictObject({
  rows: z.array(
    z.strictObject({
      tokens: z.int(),
      prefillMs: samples,
      profileMs: samples,
      /** Peak bytes that profiling takes beside what was held before. */
      peakBytes: z.number(),
    }),
  ),
});
export type ProfileProcess = z.infer<typeof profileSchema>;

export const opTimesSchema = z.strictObject({
  parts: z.array(
    z.strictObject({
      id: z.string(),
      wallMs: z.number(),
      ops: z.array(z.strictObject({ op: z.string(), calls: z.int(), ms: z.number() })),
    }),
  ),
});
export type OpTimesProcess = z.infer<typeof opTimesSchema>;

export const replySchema = z.union([
  z.strictObject({ alive: z.literal(true) }),
  z.strictObject({ progress: z.strictObject({ stage: z.string(), done: z.number(), total: z.number(), detail: z.string().optional() }) }),
  z.strictObject({
    device: z.string(),
    timer: z.string(),
    dtype: z.string(),
    substitutions: z.array(z.string()),
    result: z.unknown(),
  }),
  z.strictObject({
    failed: z.strictObject({ code: z.enum(ERROR_CODES), message: z.string(), hint: z.string().optional() }),
  }),
]);
export type ModelBenchReply = z.infer<typeof replySchema>;
