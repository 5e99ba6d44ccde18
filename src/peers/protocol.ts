import { z } from 'zod';
import { ERROR_CODES } from '../core/errors.ts';

/**
 * What moabench and a peer say to each other: one JSON object a line, requests on the peer's stdin, answers on its stdout. A peer first says
 * `hello` by itself; then each request `{ id, ask, ... }` has one answer of the same id, a `reply` or what `failed`. Between them it says that
 * it is `alive`, and how far it is. What its libraries print goes to stderr. It ends when its stdin closes, also in the middle of its work.
 */
export const PROTOCOL_VERSION = 1;

/** Names with versions, or null for what is missing. */
const versions = z.record(z.string(), z.string().nullable());
/** What the peer computes on; `name` is always there. */
const device = z.looseObject({ name: z.string() });

const helloSchema = z.strictObject({
  protocol: z.int(),
  engine: z.string(),
  versions,
  device,
});
/** Who answers: an engine (`pytorch-kernels`), its versions, and its device. */
export type Hello = z.infer<typeof helloSchema>;

const failed = z.strictObject({ code: z.enum(ERROR_CODES), message: z.string(), trace: z.string().optional() });

export const answerSchema = z.union([
  z.strictObject({ hello: helloSchema }),
  z.strictObject({ alive: z.literal(true) }),
  z.strictObject({ progress: z.strictObject({ stage: z.string(), done: z.number(), total: z.number() }) }),
  z.strictObject({ id: z.int(), reply: z.unknown() }),
  z.strictObject({ id: z.int(), failed }),
]);
export type Answer = z.infer<typeof answerSchema>;
