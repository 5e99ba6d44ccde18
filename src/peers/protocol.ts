import { z } from 'zod';
import { ERROR_CODES } from '../core/errors.ts';

/**
 * The protocol between moabench and a peer. Requests go to the peer's stdin and answers come from its stdout, one JSON object on each line. A peer first says
 * `hello` by itself. Then each request `{ id, ask, ... }` has one answer with the same id, which holds a `reply` or what `failed`. Between answers the peer
 * says that it is `alive`, and how far it is. What its libraries print goes to stderr. The peer ends when its stdin closes, even in the middle of its work.
 */
export const PROTOCOL_VERSION = 1;

/** Versions by the name of the library; null for a library that is missing. */
const versions = z.record(z.string(), z.string().nullable());
/** The device on which the peer computes; `name` is always there. */
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
