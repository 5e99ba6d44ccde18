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
  language: z.enum(['en', 'code']),
});

const fileSchema = z.strictObject({
  about: z.string(),
  source: z.string(),
  datasets: z.record(z.string(), datasetSchema),
  unsupported: z.strictObject({ names: z.array(z.string()), reason: z.string() }),
});

/** How a LongBench dataset is prompted and scored. */
export type LongBenchDataset = z.infer<typeof datasetSchema>;

let known: z.infer<typeof fileSchema> | undefined;

function loadFile(): z.infer<typeof fileSchema> {
  known ??= readJsonAs(fileSchema, new URL('../../../datasets/longbench.json', import.meta.url), { what: 'LongBench data sets' });
  return known;
}

/** All LongBench datasets that can be scored, by name, from datasets/longbench.json. */
export function longBenchDatasets(): Readonly<Record<string, LongBenchDataset>> {
  return loadFile().datasets;
}

/** The dataset of a name, with or without LongBench-E's suffix "_e". Throws UNSUPPORTED for the Chinese ones, NOT_FOUND for others, with the names there are. */
export function longBenchDataset(name: string): LongBenchDataset {
  const { datasets, unsupported } = loadFile();
  const base = name.replace(/_e$/, '');
  if (Object.hasOwn(datasets, base)) return datasets[base] as LongBenchDataset;
  const hint = `Supported: ${Object.keys(datasets).join(', ')}.`;
  if (unsupported.names.includes(base)) {
    throw new MoaError(`Expected a supported LongBench dataset but received ${base}: ${unsupported.reason}`, { code: 'UNSUPPORTED', hint });
  }
  throw new MoaError(`Expected a LongBench dataset for dataset but received ${JSON.stringify(name)}`, { code: 'NOT_FOUND', hint });
}
