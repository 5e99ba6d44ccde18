import {
  appendFileSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { PRESETS } from '../../src/model/format/presets.ts';
import { addonPath } from '../../src/native/addon.ts';
import { readRecords } from '../../src/records/read-records.ts';
import { type RecordKind, type RecordOf, recordsOf } from '../../src/records/record.ts';
import type { CellState } from '../../src/run/cell-states.ts';
import { dryRun } from '../../src/run/dry-run.ts';
import { recordsPath } from '../../src/run/run-folder.ts';
import { type RunResult, runSuite } from '../../src/run/run-suite.ts';
import { writeRunReport } from '../../src/run/write-report.ts';
import { loadSuite } from '../../src/suite/load.ts';
import { summarize } from '../../src/summary/summarize.ts';
import type { Summary } from '../../src/summary/summary.ts';

const REFERENCE = join(import.meta.dirname, '../../models/reference');
const folder = mkdtempSync(join(tmpdir(), 'moabench-resume-'));
const model = join(folder, 'model');
const suitePath = join(folder, 'suite.yaml');
const done = join(folder, 'done');
const notes: string[] = [];

/** What a test of one kind or another changes; every test begins with the run as it was. */
interface Trial {
  readonly samples?: number;
  readonly name?: string;
  readonly density?: number;
  /** Of the samples. */
  readonly file?: string;
  /** What the chat template is told beside the messages. */
  readonly variables?: string;
}

/** A line of a LongEval file. */
function item(expected: number): string {
  const question = '\nNow the record is over. Tell me what is the <REGISTER_CONTENT> in line calm-river? I need the number.\n';
  const line = `line calm-river: REGISTER_CONTENT is <${expected}>\n`;
  const about = { random_idx: ['calm-river', 0], expected_number: expected, num_lines: 1, correct_line: line };
  return JSON.stringify({ ...about, prompt: `${line}${question}` });
}

function writeSuite({ samples = 3, name = 'r', density = 0.5, file = 'cases.jsonl', variables = '{}' }: Trial = {}): void {
  const source = `{ kind: longeval, files: [{ path: ${file}, length: 320 }] }`;
  writeFileSync(
    suitePath,
    [
      'version: 1',
      `name: ${name}`,
      `model: { path: 'dummy:${model}', templateVariables: ${variables} }`,
      `methods: [{ id: dense, method: dense }, { id: half, method: streaming, density: ${density} }]`,
      `quality: { retrieval: { task: lines, lengths: [320], samples: ${samples}, source: ${source} } }`,
      'efficiency: { maxBatch: { length: 192, memoryLimitMiB: 512, largest: 1 } }',
    ].join('\n'),
  );
}

/** A tiny shape with the reference model's tokenizer; every token ends an answer, so that runs take moments. */
function writeModel(): void {
  const config = { ...PRESETS.tiny, vocab_size: 2048, eos_token_id: 2 };
  mkdirSync(model, { recursive: true });
  writeFileSync(join(model, 'config.json'), JSON.stringify(config));
  writeFileSync(join(model, 'generation_config.json'), JSON.stringify({ eos_token_id: [...Array(2048).keys()] }));
  for (const name of ['tokenizer.json', 'tokenizer_config.json']) copyFileSync(join(REFERENCE, name), join(model, name));
}

function run(out: string, { resume = true, otherSuite = false } = {}): Promise<RunResult> {
  const signal = new AbortController().signal;
  const onNote = (note: string): number => notes.push(note);
  return runSuite({ suitePath, out, resume, otherSuite, only: [], command: 'test', signal, onProgress: () => {}, onNote });
}

async function dry(out: string): Promise<readonly CellState[]> {
  const { cells } = await dryRun({ suitePath, out, resume: true, otherSuite: false, only: [], onNote: (note) => notes.push(note) });
  return cells;
}

/** A copy of the run that is done. */
function copy(): string {
  const out = mkdtempSync(join(folder, 'copy-'));
  cpSync(done, out, { recursive: true });
  return out;
}

function counted<K extends RecordKind>(out: string, kind: K): RecordOf<K>[] {
  return recordsOf(readRecords(recordsPath(out)).records, kind);
}

/** What a report of the folder would say. */
function summaryOf(out: string): Summary {
  return summarize({ records: readRecords(recordsPath(out)).records, suite: loadSuite(suitePath).suite });
}

const statuses = (states: readonly CellState[]): string[] =>
  states.map(({ id, status, reasons }) => [status, id, ...reasons.map((reason) => `(${reason})`)].join(' '));
const edit = (path: string, change: (text: string) => string): void => writeFileSync(path, change(readFileSync(path, 'utf8')));

const ALL = ['plan/dense', 'plan/half', 'retrieval/lines/320/dense', 'retrieval/lines/320/half', 'maxBatch/192/dense', 'maxBatch/192/half'];

beforeAll(async () => {
  writeFileSync(join(folder, 'cases.jsonl'), [11, 12, 13, 14, 15, 16].map((expected) => `${item(expected)}\n`).join(''));
  writeModel();
  writeSuite();
  await run(done, { resume: false });
});
afterEach(() => {
  writeModel();
  writeSuite();
  notes.length = 0;
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('--dry-run with --resume', () => {
  test('knows that everything is done', async () => {
    expect(statuses(await dry(done))).toEqual(ALL.map((id) => `done ${id}`));
  });

  test.each([
    ['tokenizer.json', (text: string) => `${text} `, 'tokenizer.json changed'],
    ['tokenizer_config.json', (text: string) => text.replace('{% for', '{# other #}{% for'), 'chat template changed'],
    ['generation_config.json', () => JSON.stringify({ eos_token_id: [3] }), 'end tokens changed'],
    ['config.json', (text: string) => text.replace('"rms_norm_eps":0.00001', '"rms_norm_eps":0.001'), 'config.json changed'],
  ])('after a change of %s nothing is, and it says why', async (file, change, reason) => {
    const before = readFileSync(join(model, file), 'utf8');
    edit(join(model, file), change);
    expect(readFileSync(join(model, file), 'utf8')).not.toBe(before);
    const states = await dry(done);
    expect(states.filter(({ status }) => status === 'done')).toEqual([]);
    expect(states[0]?.reasons).toEqual([reason]);
    expect(states[2]?.reasons).toEqual(['depends on plan/dense, which is made again']);
  });

  test('a rebuilt native library is seen', async () => {
    const rebuilt = join(folder, 'rebuilt.node');
    copyFileSync(addonPath(), rebuilt);
    appendFileSync(rebuilt, '\0');
    process.env.MOABENCH_ADDON = rebuilt;
    const states = await dry(done);
    delete process.env.MOABENCH_ADDON;
    expect(states[0]).toMatchObject({ status: 'stale', reasons: ['native library changed'] });
  });

  test('a changed method is made again, and what depends on it is told; the others stay', async () => {
    writeSuite({ density: 0.25 });
    expect(statuses(await dry(done))).toEqual([
      'done plan/dense',
      'stale plan/half (density changed from 0.5 to 0.25)',
      'done retrieval/lines/320/dense',
      'stale retrieval/lines/320/half (depends on plan/half, which is made again)',
      'done maxBatch/192/dense',
      'stale maxBatch/192/half (depends on plan/half, which is made again)',
    ]);
  });

  describe('with a chat template that asks for the date and for a variable', () => {
    const out = join(folder, 'template');
    const variables = '{ mood: calm }';
    const useTemplate = (): void =>
      edit(join(model, 'tokenizer_config.json'), (text) => {
        const template = "{{ bos_token }}{{ strftime_now('%Y') }} {{ mood }} {% for m in messages %}{{ m.content }}{% endfor %}";
        return JSON.stringify({ ...JSON.parse(text), chat_template: template });
      });
    const reasons = async (): Promise<string[]> => {
      const found = (await dry(out)).map(({ status, reasons: why }) => [status, ...why].join(': '));
      return [...new Set(found)];
    };
    beforeAll(async () => {
      useTemplate();
      writeSuite({ variables });
      await run(out, { resume: false });
    });
    beforeEach(useTemplate);

    test('another variable makes everything stale, and is named', async () => {
      writeSuite({ variables });
      expect(await reasons()).toEqual(['done']);
      writeSuite({ variables: '{ mood: brisk }' });
      expect((await reasons())[0]).toBe('stale: template variables.mood changed from calm to brisk');
      writeSuite();
      expect((await reasons())[0]).toBe('stale: template variables.mood is gone');
    });

    test('the date stays that of the run; another makes everything stale, and is named', async () => {
      writeSuite({ variables });
      const date = counted(out, 'run')[0]?.model.template?.date ?? '';
      edit(recordsPath(out), (text) => text.replaceAll(`"usesDate":true,"date":"${date}"`, '"usesDate":true,"date":"2001-02-03"'));
      expect((await reasons())[0]).toBe(`stale: template date changed from ${date} to 2001-02-03`);
    });
  });

  test('more samples go on after those that are there, fewer are all there', async () => {
    writeSuite({ samples: 5 });
    expect((await dry(done)).find(({ kind }) => kind === 'retrieval')).toMatchObject({ status: 'partial', samplesDone: 3 });
    writeSuite({ samples: 2 });
    expect(statuses(await dry(done))).toEqual(ALL.map((id) => `done ${id}`));
  });
});

describe('--resume', () => {
  test('after a change of tokenizer.json measures again, and the report leaves out what was before', async () => {
    const out = copy();
    edit(join(model, 'tokenizer.json'), (text) => `${text} `);
    await run(out);
    expect(counted(out, 'sample')).toHaveLength(12);
    expect(counted(out, 'capacity')).toHaveLength(4);
    const summary = summaryOf(out);
    expect(summary.methods.map((method) => method.retrieval?.mean?.n)).toEqual([3, 3]);
    expect(summary.cells).toMatchObject({ completed: 6, missing: [] });
  });

  test('with fewer samples keeps the valid ones, with more adds the rest; the report has as many as asked', async () => {
    const out = copy();
    writeSuite({ samples: 2 });
    await run(out);
    expect(counted(out, 'sample')).toHaveLength(6);
    expect(summaryOf(out).methods.map((method) => method.retrieval?.mean?.n)).toEqual([2, 2]);
    writeSuite({ samples: 4 });
    await run(out);
    expect(counted(out, 'sample')).toHaveLength(8);
    expect(summaryOf(out).methods.map((method) => method.retrieval?.mean?.n)).toEqual([4, 4]);
    expect(new Set(counted(out, 'stretch').map(({ id }) => id)).size).toBe(2); // one each: the run with fewer samples measured nothing
  });

  test('what another address holds is no part of a report while it is measured again', async () => {
    const out = copy();
    writeSuite({ density: 0.25 });
    const plan = counted(out, 'cell').find(({ cellId }) => cellId === 'plan/half');
    appendFileSync(recordsPath(out), `${JSON.stringify({ ...plan, cell: 'abcdefabcdefabcd' })}\n`);
    const summary = summaryOf(out);
    expect(summary.cells.missing).toContain('plan/half');
  });

  test('measures again what a damaged line held, says so once, and nothing else', async () => {
    const out = copy();
    const lines = readFileSync(recordsPath(out), 'utf8').split('\n');
    const at = lines.findIndex((line) => line.includes('"kind":"sample"'));
    writeFileSync(recordsPath(out), lines.map((line, i) => (i === at ? line.slice(0, 80) : line)).join('\n'));
    expect(summaryOf(out).cells.missing).toHaveLength(1);
    await run(out);
    expect(notes).toEqual([`Line ${at + 1} of records.jsonl is damaged and was left out; what was measured there is measured again.`]);
    expect(counted(out, 'sample')).toHaveLength(6);
    expect(counted(out, 'capacity')).toHaveLength(2);
    expect(summaryOf(out).methods.map((method) => method.retrieval?.mean?.n)).toEqual([3, 3]);
  });

  test('an edited plan file is not measured: the recorded plan is, and its file is written again', async () => {
    const out = copy();
    const path = join(out, 'plans/half.json');
    const before = readFileSync(path, 'utf8');
    edit(path, (text) => text.replaceAll('0.5', '1'));
    await expect(writeRunReport(out)).rejects.toMatchObject({ code: 'INVALID_FILE', message: expect.stringContaining('half.json') });
    writeSuite({ samples: 4 });
    await run(out);
    expect(notes).toEqual([expect.stringContaining('half.json is not the plan that was made for half')]);
    expect(readFileSync(path, 'utf8')).toBe(before);
    const addresses = counted(out, 'sample').flatMap((r) => (r.method === 'half' ? [r.cell] : []));
    expect(addresses).toHaveLength(4);
    expect(new Set(addresses).size).toBe(1); // the rules of the edited file would have another
  });

  test.each([
    ['rules', (line: string) => line.replaceAll('[0.5', '[1')],
    ['shape', (line: string) => line.replace('"headDim":16', '"headDim":32')],
  ])('a recorded plan with edited %s is refused by report and made again', async (_, change) => {
    const out = copy();
    const lines = readFileSync(recordsPath(out), 'utf8').split('\n');
    const at = lines.findIndex((line) => line.includes('"kind":"plan"') && line.includes('"method":"half"'));
    writeFileSync(recordsPath(out), lines.map((line, i) => (i === at ? change(line) : line)).join('\n'));
    await expect(writeRunReport(out))
      .rejects.toMatchObject({ code: 'INVALID_FILE' })
      .catch(() => undefined);
    await run(out);
    expect(notes.join()).toMatch('The recorded plan of half was changed since it was made; it is made again.');
    expect(counted(out, 'plan').at(-1)?.plan.rules.beta[0]).toEqual([0.5, 0.5]);
  });

  test('refuses the folder of another suite unless asked for, and changes nothing', async () => {
    const out = copy();
    const before = readFileSync(recordsPath(out), 'utf8');
    writeSuite({ name: 'other' });
    const refused = {
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('of suite other'),
      hint: expect.stringContaining('--other-suite'),
    };
    await expect(run(out)).rejects.toMatchObject(refused);
    await expect(dry(out)).rejects.toMatchObject(refused);
    expect(readFileSync(recordsPath(out), 'utf8')).toBe(before);
    expect(await run(out, { otherSuite: true })).toMatchObject({ completed: 6 });
    expect(counted(out, 'sample')).toHaveLength(6);
  });

  test.each(['csv', 'charts'])(
    'refuses a folder whose %s is a link, as report does: nothing is written or removed behind it',
    async (name) => {
      const out = copy();
      const elsewhere = mkdtempSync(join(folder, 'elsewhere-'));
      writeFileSync(join(elsewhere, 'precious.csv'), 'mine');
      symlinkSync(elsewhere, join(out, name));
      const before = readFileSync(recordsPath(out), 'utf8');
      writeSuite({ samples: 4 });
      const refused = { code: 'INVALID_FILE', message: `Expected a folder for ${join(out, name)} but received a link` };
      await expect(run(out)).rejects.toMatchObject(refused);
      await expect(writeRunReport(out)).rejects.toMatchObject(refused);
      expect(readdirSync(elsewhere)).toEqual(['precious.csv']);
      expect(readFileSync(recordsPath(out), 'utf8')).toBe(before);
    },
  );

  test('a data file may be renamed and grow: samples are known by what they are', async () => {
    writeFileSync(join(folder, 'a.jsonl'), `${item(1)}\n${item(2)}\n`);
    writeSuite({ samples: 2, file: 'a.jsonl' });
    const out = join(folder, 'files');
    await run(out, { resume: false });
    expect(counted(out, 'sample')).toHaveLength(4);
    renameSync(join(folder, 'a.jsonl'), join(folder, 'b.jsonl'));
    writeFileSync(join(folder, 'b.jsonl'), `${item(3)}\n${item(2)}\n${item(1)}\n`);
    writeSuite({ samples: 3, file: 'b.jsonl' });
    expect((await dry(out)).find(({ kind }) => kind === 'retrieval')).toMatchObject({ status: 'partial', samplesDone: 2 });
    await run(out);
    expect(counted(out, 'sample').map(({ method, expected }) => `${method} ${expected}`)).toEqual([
      'dense 1',
      'half 1',
      'dense 2',
      'half 2',
      'dense 3',
      'half 3',
    ]);
    // Line 1 of the file is another sample now: what it held is scored anew under the same content only if it is asked for.
    writeFileSync(join(folder, 'b.jsonl'), `${item(4)}\n${item(2)}\n${item(1)}\n`);
    await run(out);
    expect(counted(out, 'sample')).toHaveLength(8);
    expect(summaryOf(out).methods.map((method) => method.retrieval?.mean?.n)).toEqual([3, 3]);
  });
});
