import { z } from 'zod';
import { ERROR_CODES, MoaError } from '../core/errors.ts';
import { CACHE_POLICIES } from '../native/backend.ts';

/** What the run and a timing process say to each other: one JSON object a line, requests on the process's stdin, replies on its stdout. */

const float = z.enum(['f32', 'f16', 'bf16']);
const ids = z.array(z.int().min(0));
/** CacheLayout with its spans as a plain list. */
const layout = z.strictObject({
  kind: z.enum(CACHE_POLICIES),
  dtype: float,
  sink: z.int().min(0),
  spans: ids,
  tokens: z.int().min(1),
  headDim: z.int().min(1),
  bytes: z.number().min(0),
});

const load = z.strictObject({
  kind: z.literal('load'),
  model: z.strictObject({ path: z.string(), weightDType: float.optional(), activationDType: float.optional() }),
  backend: z.strictObject({
    name: z.enum(['cpu', 'cuda', 'tfjs']),
    threads: z.int().optional(),
    device: z.int().optional(),
  }),
});

const time = z.strictObject({
  kind: z.literal('time'),
  arms: z.array(z.strictObject({ id: z.string(), layout })),
  what: z.discriminatedUnion('phase', [
    z.strictObject({ phase: z.literal('prefill'), prompt: ids }),
    z.strictObject({ phase: z.literal('decode'), batch: z.int().min(1), newTokens: z.int().min(1), segmentMs: z.int().min(0) }),
  ]),
  chunkTokens: z.int().min(1),
  graph: z.enum(['on', 'off']),
  rounds: z.int().min(1),
  seed: z.string(),
});

export const requestSchema = z.discriminatedUnion('kind', [load, time]);
export type TimingRequest = z.infer<typeof requestSchema>;
export type LoadRequest = z.infer<typeof load>;
export type TimeRequest = z.infer<typeof time>;

const failure = z.strictObject({ code: z.enum(ERROR_CODES), message: z.string(), hint: z.string().nullable() });

const outcome = z.discriminatedUnion('status', [
  z.strictObject({
    status: z.literal('timed'),
    id: z.string(),
    samplesMs: z.array(z.number()),
    passes: z.array(z.int()),
    residentBytes: z.number(),
    peakBytes: z.number(),
    rssBytes: z.number(),
    deviceMemory: z
      .strictObject({ freeBytes: z.number(), totalBytes: z.number(), poolReservedBytes: z.number(), poolUsedBytes: z.number() })
      .nullable(),
  }),
  z.strictObject({ status: z.literal('unfit'), id: z.string(), reason: z.string() }),
  z.strictObject({ status: z.literal('failed'), id: z.string(), failure }),
]);
export type TimingOutcome = z.infer<typeof outcome>;

export const replySchema = z.discriminatedUnion('kind', [
  /** The model is loaded. */
  z.strictObject({ kind: z.literal('ready'), weightsHash: z.string(), device: z.string() }),
  /** The process lives; sent every few seconds. */
  z.strictObject({ kind: z.literal('alive') }),
  z.strictObject({ kind: z.literal('progress'), stage: z.string(), done: z.number(), total: z.number() }),
  z.strictObject({ kind: z.literal('outcomes'), outcomes: z.array(outcome), substitutions: z.array(z.string()) }),
  /** The request could not be done. */
  z.strictObject({ kind: z.literal('failed'), failure }),
]);
export type TimingReply = z.infer<typeof replySchema>;

export function failureOf(error: unknown): z.infer<typeof failure> {
  if (error instanceof MoaError) return { code: error.code, message: error.message, hint: error.hint ?? null };
  return { code: 'INTERNAL', message: error instanceof Error ? error.message : String(error), hint: null };
}

export function errorOf({ code, message, hint }: z.infer<typeof failure>): MoaError {
  return new MoaError(message, { code, ...(hint === null ? {} : { hint }) });
}
