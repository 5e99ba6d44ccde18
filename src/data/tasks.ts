import { MoaError } from '../core/errors.ts';
import { buildCode } from './generators/code.ts';
import type { Builder } from './generators/draft.ts';
import { buildFewshot } from './generators/fewshot.ts';
import { buildLines } from './generators/lines.ts';
import { buildMultiQa } from './generators/multi-qa.ts';
import { buildNeedle } from './generators/needle.ts';
import { buildPassage } from './generators/passage.ts';
import { buildSingleQa } from './generators/single-qa.ts';
import { buildSummary } from './generators/summary.ts';
import { buildVartrack } from './generators/vartrack.ts';
import type { Category, MetricName } from './sample.ts';

/** A generated task. */
export interface Task {
  readonly name: TaskName;
  readonly category: Category;
  readonly metric: MetricName;
  readonly firstLineOnly: boolean;
  /** Room for the longest reference answer and the end token, with a margin; tokens of the reference tokenizer. */
  readonly maxNewTokens: number;
  /** Characters per token of the reference tokenizer, for planning only. */
  readonly charsPerToken: number;
  readonly build: Builder;
}

export const TASK_NAMES = ['lines', 'needle', 'single_qa', 'multi_qa', 'fewshot', 'summary', 'passage', 'vartrack', 'code'] as const;
export type TaskName = (typeof TASK_NAMES)[number];

const define = (
  name: TaskName,
  category: Category,
  rest: Omit<Task, 'name' | 'category' | 'firstLineOnly'> & { firstLineOnly?: boolean },
): Task => ({
  name,
  category,
  firstLineOnly: false,
  ...rest,
});

/** The tasks that the reference model was trained on, by name. */
export const TASKS: Readonly<Record<TaskName, Task>> = {
  lines: define('lines', 'synthetic', { metric: 'last-integer', maxNewTokens: 48, charsPerToken: 2.45, build: buildLines }),
  needle: define('needle', 'synthetic', { metric: 'string-match-all', maxNewTokens: 64, charsPerToken: 3.5, build: buildNeedle }),
  single_qa: define('single_qa', 'single-doc-qa', { metric: 'token-f1', maxNewTokens: 32, charsPerToken: 3.4, build: buildSingleQa }),
  multi_qa: define('multi_qa', 'multi-doc-qa', { metric: 'token-f1', maxNewTokens: 32, charsPerToken: 3.4, build: buildMultiQa }),
  fewshot: define('fewshot', 'few-shot', {
    metric: 'classification',
    firstLineOnly: true,
    maxNewTokens: 24,
    charsPerToken: 3.3,
    build: buildFewshot,
  }),
  summary: define('summary', 'summarization', { metric: 'rouge-l', maxNewTokens: 256, charsPerToken: 3.5, build: buildSummary }),
  passage: define('passage', 'synthetic', { metric: 'retrieval', maxNewTokens: 16, charsPerToken: 3.5, build: buildPassage }),
  vartrack: define('vartrack', 'synthetic', { metric: 'string-match-all', maxNewTokens: 16, charsPerToken: 3.4, build: buildVartrack }),
  code: define('code', 'code', { metric: 'code-similarity', maxNewTokens: 48, charsPerToken: 2.8, build: buildCode }),
};

/** The task of a name. Throws NOT_FOUND with the names there are. */
export function taskNamed(name: string): Task {
  const task = TASK_NAMES.find((known) => known === name);
  if (task === undefined) {
    throw new MoaError(`Expected one of ${TASK_NAMES.join(', ')} for task but received ${JSON.stringify(name)}`, {
      code: 'NOT_FOUND',
      hint: 'See `moabench data list`.',
    });
  }
  return TASKS[task];
}
