import { z } from 'zod';
import { content, count, kvBytes, measured, ms, positive } from './fields.ts';

// Records of quality: one line for each scored sample.

export const sample = z.strictObject({
  kind: z.literal('sample'),
  ...measured,
  part: z.enum(['retrieval', 'longbench']),
  sampleId: z.string().min(1),
  content,
  task: z.string(),
  category: z.string(),
  cluster: z.string().describe('Samples that share a document.'),
  length: positive.describe('Target length in tokens.'),
  depth: z.number().min(0).max(1).nullable().describe('Where the evidence sits; null without one place.'),
  promptTokens: positive,
  newTokens: count,
  finish: z.enum(['stop', 'length']),
  truncatedTokens: count.describe('Prompt tokens dropped to fit; 0 is healthy.'),
  /** Tokens between the evidence and the prompt's end. It shows whether a window alone reaches the evidence. null when the evidence is not in one place. */
  evidenceDistance: count.nullable(),
  promptTail: z.string().max(2000),
  output: z.string(),
  expected: z.array(z.string()),
  score: z.number().min(0).max(1),
  correct: z.boolean().nullable(),
  kvBytes,
  prefillMs: ms.nullable(),
  decodeMs: ms.nullable(),
});

export const loss = z.strictObject({
  kind: z.literal('loss'),
  ...measured,
  sampleId: z.string().min(1),
  content,
  task: z.string(),
  cluster: z.string(),
  length: positive,
  promptTokens: positive,
  answerTokens: positive,
  sumLoss: z.number().describe('Nats, summed over the answer tokens.'),
  kvBytes,
});
