import { z } from 'zod';
import { sha256 } from '../../core/hash.ts';
import { promptLength, type Sample } from '../sample.ts';
import { type JsonLine, readJsonLines } from './json-lines.ts';
import { type LongBenchDataset, longBenchDataset } from './longbench-datasets.ts';
import { countedPrompt, type PromptModel, truncateMiddle } from './prompt-model.ts';

/** A line of a LongBench or LongBench-E file. */
const itemSchema = z.object({
  input: z.string(),
  context: z.string().min(1),
  answers: z.array(z.string()).min(1),
  all_classes: z.array(z.string()).nullish(),
  /** Words (English) or characters (Chinese). */
  length: z.int().nonnegative(),
  dataset: z.string(),
  language: z.string(),
  _id: z.string().min(1),
});

export type LongBenchItem = z.infer<typeof itemSchema>;

/** The items of a LongBench `.jsonl` file as they stand there. Throws INVALID_FILE for malformed lines. */
export function longBenchItems(path: string): AsyncIterable<JsonLine<LongBenchItem>> {
  return readJsonLines(path, itemSchema);
}

export interface LongBenchOptions {
  /** Name of the dataset, as in datasets/longbench.json; "_e" may follow. */
  readonly dataset: string;
  /** Maximum number of tokens of a prompt, chat markers included. */
  readonly targetTokens: number;
  /**
   * Maximum number of tokens of a prompt without chat markers, where `targetTokens` would allow more (MoA's released evaluation: 3,500,
   * 7,500 and 15,500).
   */
  readonly truncateTo?: number;
  /** Only items whose `length` is in [low, high): LongBench-E's buckets. */
  readonly lengths?: readonly [number, number];
  readonly model: PromptModel;
}

/** Samples of a LongBench `.jsonl` file: official prompt, cut in the middle to fit, official metric. Throws NOT_FOUND for an unknown dataset, INVALID_FILE for malformed lines. */
export async function* readLongBench(path: string, options: LongBenchOptions): AsyncGenerator<Sample> {
  const dataset = longBenchDataset(options.dataset);
  const { targetTokens, model, lengths = [0, Number.POSITIVE_INFINITY] } = options;
  for await (const { line, value } of longBenchItems(path)) {
    if (value.length < lengths[0] || value.length >= lengths[1]) continue;
    const { prompt, wholeTokens } = fittedPrompt(value, dataset, options);
    const promptTokens = countedPrompt(prompt, model, { targetTokens, where: `${path}:${line}` });
    const classes = value.all_classes ?? [];
    yield {
      id: `longbench/${options.dataset}/${value._id}`,
      task: options.dataset,
      category: dataset.category,
      prompt,
      answers: value.answers,
      ...(classes.length === 0 ? {} : { allClasses: classes }),
      metric: dataset.metric,
      ...(dataset.firstLineOnly ? { firstLineOnly: true } : {}),
      maxNewTokens: dataset.maxNewTokens,
      targetTokens,
      promptTokens,
      truncatedTokens: Math.max(0, wholeTokens - promptTokens),
      cluster: `${options.dataset}/${sha256(value.context).slice(0, 16)}`,
    };
  }
}

/** The prompt, cut in the middle to fit, and how many tokens the whole prompt has. */
function fittedPrompt(
  item: LongBenchItem,
  dataset: LongBenchDataset,
  { targetTokens, truncateTo, model }: LongBenchOptions,
): { readonly prompt: string; readonly wholeTokens: number } {
  const { tokenizer } = model;
  const wrap = dataset.chat ? model.wrapUser : (text: string): string => text;
  const plain = dataset.prompt.replace(/\{(context|input)\}/g, (_, field: 'context' | 'input') => item[field]);
  const frame = promptLength(tokenizer, wrap(''));
  let room = Math.min(truncateTo ?? Number.POSITIVE_INFINITY, targetTokens - frame);
  let prompt = wrap(truncateMiddle(plain, room, tokenizer));
  // Tokens may merge differently where text and markers meet. The text gives up what that costs, a few tokens at most.
  for (
    let over = promptLength(tokenizer, prompt) - targetTokens;
    over > 0 && room > over;
    over = promptLength(tokenizer, prompt) - targetTokens
  ) {
    room -= over;
    prompt = wrap(truncateMiddle(plain, room, tokenizer));
  }
  return { prompt, wholeTokens: promptLength(tokenizer, wrap(plain)) };
}
