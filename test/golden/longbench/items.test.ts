import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readLongBench } from '../../../src/data/readers/longbench.ts';
import { longBenchDatasets } from '../../../src/data/readers/longbench-datasets.ts';
import { scoreOutput } from '../../../src/evaluate/score.ts';
import { referenceTokenizer as tokenizer } from '../../data/reference-tokenizer.ts';
import { longBenchScore } from '../metrics/official-scorer.ts';
import { readGolden } from '../read-golden.ts';

interface Item {
  readonly dataset: string;
  readonly row: { readonly answers: string[] };
  readonly prompt: string;
  readonly maxNewTokens: number;
  readonly outputs: { readonly text: string; readonly score: number }[];
}
const { items } = readGolden('items.json', import.meta.url) as { items: Item[] };
/** Few-shot and code sets, which pred.py does not put into the chat format. */
const PLAIN = ['trec', 'triviaqa', 'samsum', 'lsht', 'lcc', 'repobench-p'];
async function read<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'moabench-longbench-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

test('all 21 sets are known', () => {
  expect(items.map(({ dataset }) => dataset).sort()).toEqual(Object.keys(longBenchDatasets()).sort());
  expect(items.length).toBe(21);
});

test.each(items)('$dataset: reader, prompt, limit and scores equal the official ones', async ({ dataset, row, ...item }) => {
  const path = join(folder, `${dataset}.jsonl`);
  writeFileSync(path, `${JSON.stringify(row)}\n`);
  const model = { tokenizer, wrapUser: (user: string) => `<|user|>${user}<|end|>` };
  const samples = await read(readLongBench(path, { dataset, targetTokens: 100_000, model }));
  const prompt = PLAIN.includes(dataset) ? item.prompt : model.wrapUser(item.prompt);
  expect(samples).toMatchObject([{ prompt, maxNewTokens: item.maxNewTokens, answers: row.answers, truncatedTokens: 0 }]);
  for (const { text, score } of item.outputs) {
    expect(longBenchScore([scoreOutput(samples[0] as (typeof samples)[number], text).score])).toBe(score);
  }
});
