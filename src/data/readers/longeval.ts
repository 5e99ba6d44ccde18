import { basename } from 'node:path';
import { z } from 'zod';
import type { Sample } from '../sample.ts';
import { type JsonLine, readJsonLines } from './json-lines.ts';
import { countedPrompt, type PromptModel } from './prompt-model.ts';

/** A line of LongChat's `<n>_lines.jsonl` (longeval/utils.py, `generate_lines_testcases`). Other fields, such as token counts of other tokenizers, are ignored. */
const testCaseSchema = z
  .object({
    /** [name of the line asked for, its index from 0]. */
    random_idx: z.tuple([z.union([z.string(), z.int()]), z.int().nonnegative()]),
    expected_number: z.int().nonnegative(),
    num_lines: z.int().positive(),
    correct_line: z.string().min(1),
    prompt: z.string().min(1),
  })
  .refine((test) => test.random_idx[1] < test.num_lines, { path: ['random_idx'], message: 'the index must be below num_lines' })
  .refine((test) => test.prompt.includes(test.correct_line), { path: ['correct_line'], message: 'must occur in the prompt' });

export type LongEvalTest = z.infer<typeof testCaseSchema>;

/** The test cases of a LongEval file as they stand there. Throws INVALID_FILE for malformed lines. */
export function longEvalTests(path: string): AsyncIterable<JsonLine<LongEvalTest>> {
  return readJsonLines(path, testCaseSchema);
}

export interface LongEvalOptions {
  /** No prompt may have more tokens. */
  readonly targetTokens: number;
  readonly model: PromptModel;
}

/** LongEval's limit; answers are a short sentence. */
export const LONGEVAL_NEW_TOKENS = 100;

/** Samples of a LongEval line-retrieval test-case file, scored by the last integer. Throws INVALID_FILE for malformed lines and for prompts longer than `targetTokens`. */
export async function* readLongEval(path: string, { targetTokens, model }: LongEvalOptions): AsyncGenerator<Sample> {
  for await (const { line, value } of longEvalTests(path)) {
    const prompt = model.wrapUser(value.prompt);
    const id = `longeval/${basename(path)}/${line}`;
    const start = prompt.indexOf(value.correct_line);
    yield {
      id,
      task: 'lines',
      category: 'synthetic',
      prompt,
      answers: [String(value.expected_number)],
      metric: 'last-integer',
      maxNewTokens: LONGEVAL_NEW_TOKENS,
      targetTokens,
      promptTokens: countedPrompt(prompt, model, { targetTokens, where: `${path}:${line}` }),
      depth: value.random_idx[1] / value.num_lines,
      ...(start < 0 ? {} : { evidence: [start, start + value.correct_line.length] as const }),
      cluster: id,
    };
  }
}
