import { z } from 'zod';
import { MoaError } from '../../core/errors.ts';
import { readJsonAs } from '../../core/json-file.ts';
import { categorySchema, metricNameSchema } from '../sample.ts';

const datasetSchema = z.strictObject({
  category: categorySchema,
  metric: metricNameSchema,
  maxNewTokens: z.int().positive(),
  /** Prompt with {context} and {input}. */
  prompt: z.string().includes('{context}'),
  /** Whether the prompt goes into the chat template; few-shot and code tasks are plain continuations. */
  chat: z.boolean().default(true),
  firstLineOnly: z.boolean().default(false),
  language: z.enum(['en', 'zh', 'code']),
});

const fileSchema = z.strictObject({
  about: z.string(),
  source: z.string(),
  datasets: z.record(z.string(), datasetSchema),
});

/** How a LongBench dataset is prompted and scored. */
export type LongBenchDataset = z.infer<typeof datasetSchema>;

let known: Readonly<Record<string, LongBenchDataset>> | undefined;

/** The 21 LongBench datasets by name, from datasets/longbench.json. */
export function longBenchDatasets(): Readonly<Record<string, LongBenchDataset>> {
  known ??= readJsonAs(fileSchema, new URL('../../../datasets/longbench.json', import.meta.url), { what: 'LongBench data sets' }).datasets;
  return known;
}

/** The dataset of a name, with or without LongBench-E's suffix "_e". Throws NOT_FOUND for others, with the names there are. */
export function longBenchDataset(name: string): LongBenchDataset {
  const datasets = longBenchDatasets();
  const base = name.replace(/_e$/, '');
  if (Object.hasOwn(datasets, base)) return datasets[base] as LongBenchDataset;
  throw new MoaError(`Expected a LongBench dataset for dataset but received ${JSON.stringify(name)}`, {
    code: 'NOT_FOUND',
    hint: `Supported: ${Object.keys(datasets).join(', ')}.`,
  });
}
