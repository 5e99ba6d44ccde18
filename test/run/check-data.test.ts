import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { referenceChat } from '../../src/data/generate.ts';
import { loadProse } from '../../src/data/prose.ts';
import { readLongBench } from '../../src/data/readers/longbench.ts';
import { checkData, type DataFacts, shortages } from '../../src/run/check-data.ts';
import { sampleSource } from '../../src/run/sample-source.ts';
import { expandCells, type QualityCell } from '../../src/suite/cells.ts';
import { suiteSchema } from '../../src/suite/schema.ts';
import { referenceTokenizer as tokenizer } from '../data/reference-tokenizer.ts';

// Reading and splitting the whole corpus takes a second or more on a busy machine; it happens once.
beforeAll(() => {
  loadProse('eval');
  loadProse('calibration');
});

const folder = mkdtempSync(join(tmpdir(), 'moabench-check-data-'));
afterAll(() => rmSync(folder, { recursive: true }));
const model = { tokenizer, wrapUser: referenceChat };

const item = (more: object = {}): object => ({
  input: 'Who?',
  context: 'Mara Lind repaired the pump. '.repeat(200),
  answers: ['Mara'],
  all_classes: null,
  length: 900,
  dataset: 'hotpotqa',
  language: 'en',
  _id: 'a',
  ...more,
});
const lines = (...values: unknown[]): string =>
  values.map((value) => `${typeof value === 'string' ? value : JSON.stringify(value)}\n`).join('');
function longEvalTest(n: number): object {
  const correct = `line big-fob: REGISTER_CONTENT is <${n}>\n`;
  return {
    random_idx: ['big-fob', 0],
    expected_number: n,
    num_lines: 1,
    correct_line: correct,
    prompt: `Record:\n${correct}${'x '.repeat(n)}`,
  };
}

interface Trial {
  readonly quality: object;
  readonly generation?: object;
  readonly files?: Readonly<Record<string, string>>;
}

let trials = 0;
function trial({ quality, generation = {}, files = {} }: Trial) {
  const suiteFolder = join(folder, String(trials++));
  mkdirSync(suiteFolder);
  for (const [name, content] of Object.entries(files)) writeFileSync(join(suiteFolder, name), content);
  const suite = suiteSchema.parse({
    version: 1,
    name: 'data',
    model: { path: 'dummy:tiny' },
    generation,
    methods: [
      { id: 'dense', method: 'dense' },
      { id: 'half', method: 'streaming', density: 0.5 },
    ],
    quality,
  });
  return { suite, suiteFolder, cells: expandCells(suite), model: () => model };
}
const check = (options: Trial): Promise<readonly DataFacts[]> => checkData(trial(options));
const longbench = (tasks: readonly string[], more: object = {}): object => ({
  longbench: { tasks, source: { kind: 'longbench', folder: '.' }, length: 512, samples: 3, ...more },
});
const longeval = (length: number, samples = 2): object => ({
  retrieval: { source: { kind: 'longeval', files: [{ path: 'l.jsonl', length }] }, lengths: [length], samples },
});

test('one fact for each condition, whatever the number of methods: reader, files, hashes, licence, asked and usable', async () => {
  const facts = await check({
    quality: { ...longbench(['hotpotqa']), perplexity: { tasks: ['lines'], length: 600, samples: 4 } },
    files: { 'hotpotqa.jsonl': lines(item(), '', item({ _id: 'b' })) },
  });
  expect(facts).toEqual([
    {
      part: 'longbench',
      task: 'hotpotqa',
      length: 512,
      reader: 'longbench',
      source: expect.stringContaining('THUDM/LongBench'),
      revision: expect.stringMatching(/^[0-9a-f]{40}$/),
      licence: expect.stringContaining('MIT'),
      files: [{ path: 'hotpotqa.jsonl', sha256: expect.stringMatching(/^[0-9a-f]{64}$/), published: null }],
      asked: 3,
      usable: 2,
    },
    expect.objectContaining({
      part: 'perplexity',
      reader: 'generated',
      source: expect.stringContaining('npm:@stdlib'),
      files: [],
      usable: null,
    }),
  ]);
  expect(shortages(facts)).toEqual(['hotpotqa.jsonl has 2 of the 3 samples asked for (hotpotqa, length 512).']);
});

test('a LongEval file that differs from the published one of its name is known', async () => {
  const source = { kind: 'longeval', files: [{ path: '200_lines.jsonl', length: 400 }] };
  const facts = await check({
    quality: { retrieval: { source, lengths: [400], samples: 1 } },
    files: { '200_lines.jsonl': lines(longEvalTest(5)) },
  });
  expect(facts[0]?.files).toMatchObject([{ path: '200_lines.jsonl', published: false }]);
});

test('every problem in one message, each once', async () => {
  const error = (await check({
    quality: longbench(['hotpotqa', 'qasper', 'trec', 'lcc', 'dureader', 'passage_count']),
    files: {
      'hotpotqa.jsonl': lines(item(), item()),
      'trec.jsonl': lines(item()),
      'lcc.jsonl': '\n\n',
      'dureader.jsonl': lines(item(), '{"input":'),
      'passage_count.jsonl': lines(item()),
    },
  }).catch((reason: unknown) => reason)) as Error;
  expect(error.message.split('\n')).toEqual([
    "The data of 5 conditions can't be used:",
    expect.stringMatching(/^- Expected distinct _id values in .*hotpotqa.jsonl but lines 1 and 2 have the same$/),
    expect.stringMatching(/^- Could not read .*qasper.jsonl: it does not exist$/),
    expect.stringMatching(/^- Expected all_classes in .*trec.jsonl:1/),
    expect.stringMatching(/^- Expected samples in .*lcc.jsonl but received none$/),
    expect.stringMatching(/^- Expected JSON in .*dureader.jsonl:2/),
  ]);
});

test.each([
  [
    'references that the metric cannot score',
    { 'passage_retrieval_en.jsonl': lines(item({ answers: ['7'] })) },
    'passage_retrieval_en',
    /that retrieval can score in .*:1/,
  ],
  [
    'Chinese references',
    { 'passage_retrieval_zh.jsonl': lines(item({ answers: ['Paragraph 7'] })) },
    'passage_retrieval_zh',
    /that retrieval-zh can score/,
  ],
  ['an unknown set', {}, 'hotpot', /Expected a LongBench dataset .*"hotpot"/],
])('%s', async (_, files, task, message) => {
  await expect(check({ quality: longbench([task]), files })).rejects.toThrow(message);
});

test('a length is prompt and new tokens together, for files as for generated tasks', async () => {
  const options = trial({ quality: longbench(['hotpotqa']), files: { 'hotpotqa.jsonl': lines(item()) } });
  const [cell] = options.cells.filter((c): c is QualityCell => c.kind === 'longbench');
  const source = sampleSource(cell as QualityCell, options.suite, options.suiteFolder);
  expect(source).toMatchObject({ newTokens: 32, promptTokens: 480, sequenceTokens: 512 });
  const samples = [];
  for await (const sample of readLongBench(source.file?.path ?? '', { dataset: 'hotpotqa', targetTokens: source.promptTokens, model }))
    samples.push(sample);
  expect((samples[0]?.promptTokens ?? 0) + 32).toBeLessThanOrEqual(512);
  expect(samples[0]?.truncatedTokens).toBeGreaterThan(0);
});

test('a reserve set by the suite comes on top, and positions must reach over it', () => {
  const { suite, cells } = trial({ quality: longeval(400), generation: { reserveTokens: 1024 } });
  const cell = cells.find((c) => c.kind === 'retrieval') as QualityCell;
  expect(sampleSource(cell, suite, '')).toMatchObject({ newTokens: 100, promptTokens: 400, sequenceTokens: 500 });
});

test('LongEval prompts that do not fit say which length would', async () => {
  const files = { 'l.jsonl': lines(longEvalTest(300), longEvalTest(320), longEvalTest(3000)) };
  const error = await check({ quality: longeval(400), files }).catch((reason: unknown) => reason);
  expect(error).toMatchObject({
    code: 'INVALID_FILE',
    message: expect.stringMatching(/at most 300 tokens \(length 400\) in .* but the longest has \d+$/),
  });
  const needed = Number(/a length of (\d+) or more/.exec((error as { hint: string }).hint)?.[1]);
  expect(await check({ quality: longeval(needed), files })).toMatchObject([{ asked: 2, usable: 3 }]);
  await expect(check({ quality: longeval(needed - 1), files })).rejects.toMatchObject({ code: 'INVALID_FILE' });
});

test('lengths without room are refused', async () => {
  await expect(check({ quality: { perplexity: { tasks: ['summary'], length: 200, samples: 1 } } })).rejects.toMatchObject({
    message: 'Expected a length above 256 (the new tokens of summary) but received 200',
  });
  await expect(check({ quality: { perplexity: { tasks: ['lines'], length: 140, samples: 1 } } })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
  });
});

test('pipes, devices and folders end with a sentence', async () => {
  const pipe = trial({ quality: longbench(['hotpotqa']) });
  execFileSync('mkfifo', [join(pipe.suiteFolder, 'hotpotqa.jsonl')]);
  await expect(checkData(pipe)).rejects.toThrow(/in a regular file .* but received a named pipe/);
  const source = { kind: 'longeval', files: [{ path: '/dev/zero', length: 512 }] };
  await expect(check({ quality: { retrieval: { source, lengths: [512], samples: 1 } } })).rejects.toThrow(
    /in a regular file for \/dev\/zero but received a device/,
  );
  const directory = trial({ quality: longbench(['hotpotqa']) });
  mkdirSync(join(directory.suiteFolder, 'hotpotqa.jsonl'));
  await expect(checkData(directory)).rejects.toThrow(/it is a folder/);
});

const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
test.each([
  ['a line of 20 MB', () => `{"input": "${'x'.repeat(20_000_000)}"}\n`, /a line of at most 16777216 bytes/],
  ['many empty lines', () => '\n'.repeat(100_002), /at most 100000 lines/],
  ['a deep line', () => `${deep}\n`, /hotpotqa.jsonl:1/],
  ['a deep field', () => lines(item({ length: 'x' })).replace('"x"', deep), /hotpotqa.jsonl:1/],
])('%s ends with a sentence', async (_, content, message) => {
  const refused = check({ quality: longbench(['hotpotqa']), files: { 'hotpotqa.jsonl': content() } });
  await expect(refused).rejects.toMatchObject({ code: 'INVALID_FILE', message: expect.stringMatching(message) });
});
