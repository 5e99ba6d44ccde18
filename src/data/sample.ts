import { z } from 'zod';

const CATEGORIES = ['single-doc-qa', 'multi-doc-qa', 'few-shot', 'summarization', 'synthetic', 'code'] as const;
export const categorySchema = z.enum(CATEGORIES);
/** LongBench's six categories. */
export type Category = z.infer<typeof categorySchema>;

export const metricNameSchema = z.enum([
  'last-integer',
  'exact-match',
  'token-f1',
  'rouge-l',
  'classification',
  'retrieval',
  'token-f1-zh',
  'rouge-l-zh',
  'retrieval-zh',
  'count',
  'code-similarity',
  'string-match-all',
  'string-match-part',
]);
export type MetricName = z.infer<typeof metricNameSchema>;

/** `eval`: held-out prose, for scores. `calibration`: training prose and other seeds, for profiling. They never share a sample. */
const splitSchema = z.enum(['eval', 'calibration']);
export type Split = z.infer<typeof splitSchema>;

export const sampleSchema = z
  .strictObject({
    /** Stable over runs and machines: split/task/length/seed/index, or the reader's file and line. */
    id: z.string().min(1),
    /** Generator task or dataset name. */
    task: z.string().min(1),
    category: categorySchema,
    /** Full text with chat markers, ready to tokenize. */
    prompt: z.string().min(1),
    answers: z.array(z.string()).min(1).readonly(),
    /** The whole answer as the task words it, for perplexity; the first of `answers` where a dataset has no other wording. */
    completion: z.string().min(1).optional(),
    /** Labels of a classification task. */
    allClasses: z.array(z.string()).min(1).readonly().optional(),
    metric: metricNameSchema,
    /** Whether only the first non-empty line of the output counts (LongBench's few-shot tasks). */
    firstLineOnly: z.boolean().optional(),
    maxNewTokens: z.int().positive(),
    /** The length asked for, tokens. */
    targetTokens: z.int().positive(),
    /** The prompt's length by the tokenizer it was made for. */
    promptTokens: z.int().positive(),
    /** Prompt tokens that a reader cut out of the middle to fit; left out for prompts made to size. */
    truncatedTokens: z.int().nonnegative().optional(),
    /** Where the evidence sits in the context: 0 at its start, below 1 at its end. */
    depth: z.number().min(0).max(1).optional(),
    /** [start, end) of the evidence in `prompt`, UTF-16 units. */
    evidence: z.tuple([z.int().nonnegative(), z.int().nonnegative()]).readonly().optional(),
    /** Samples that share a document share a cluster, the unit that statistics count. */
    cluster: z.string().min(1),
  })
  .readonly();

/** One question with its context and references: what evaluation and calibration run on. */
export type Sample = z.infer<typeof sampleSchema>;

/** What generators and readers need of a tokenizer. Special-token strings in the text are recognised. */
export interface TokenCounter {
  /** Token ids of a text; nothing is added. */
  encode(text: string): ArrayLike<number>;
  /** Token ids of a whole prompt, with what the tokenizer puts before one (BOS). Without this method, `encode` is used. */
  encodePrompt?(text: string): ArrayLike<number>;
}

/** Token ids of a whole prompt. */
export function promptIds(tokenizer: TokenCounter, prompt: string): ArrayLike<number> {
  return tokenizer.encodePrompt?.(prompt) ?? tokenizer.encode(prompt);
}

/** Tokens of a whole prompt. */
export function promptLength(tokenizer: TokenCounter, prompt: string): number {
  return promptIds(tokenizer, prompt).length;
}

/** The answer whose loss is taken: the task's own wording of the whole, or its first answer. */
export function referenceOf({ completion, answers }: Pick<Sample, 'completion' | 'answers'>): string {
  return completion ?? answers[0] ?? '';
}
