import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readRecords } from '../../src/records/read-records.ts';
import { recordsOf } from '../../src/records/record.ts';
import { summarySchema } from '../../src/summary/summary.ts';
import { type Ended, moabench, tinySuite } from './tiny-suite.ts';

const { folder, suite, out } = tinySuite();
const log = (path: string): string => join(path, 'records.jsonl');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What a sample or loss says, without times: equal between a killed and an undisturbed run. */
function answers(path: string) {
  const { records } = readRecords(log(path));
  const samples = recordsOf(records, 'sample').map((r) => [r.cell, r.sampleId, r.output, r.score, r.kvBytes.resident]);
  const losses = recordsOf(records, 'loss').map((r) => [r.cell, r.sampleId, r.sumLoss, r.kvBytes.resident]);
  return [...samples, ...losses].map(String).toSorted();
}

describe('one run of every stage', () => {
  let run: Ended;
  beforeAll(async () => {
    run = await moabench(['run', suite, '--out', out]).ended;
  });

  test('completes all cells and says where the report is', () => {
    expect(run).toMatchObject({ code: 0 });
    expect(run.stdout).toContain('0 failed');
    expect(run.stdout).toContain(`report: ${out}/report.html`);
  });

  test('leaves every artefact of the run folder', () => {
    for (const file of [
      'environment.json',
      'suite.json',
      'summary.json',
      'report.md',
      'report.html',
      'plans/moa-50.json',
      'plans/moa-50.front.json',
    ]) {
      expect(existsSync(join(out, file)), file).toBe(true);
    }
  });

  test('tells at its end which kernels stood in for others, also when none did', () => {
    const { records } = readRecords(log(out));
    expect(records.at(-1)).toMatchObject({ kind: 'stretchEnd', substitutions: [] });
  });

  test('measures the KV memory that the plans imply, and half of dense', () => {
    const samples = recordsOf(readRecords(log(out)).records, 'sample');
    expect(samples.length).toBe(18);
    for (const { kvBytes } of samples) expect(kvBytes.resident).toBe(kvBytes.planned);
    const bytes = (method: string) => samples.filter((s) => s.method === method).reduce((total, s) => total + s.kvBytes.resident, 0);
    expect(bytes('uniform-50') / bytes('dense')).toBeCloseTo(0.5, 5);
    expect(bytes('moa-50') / bytes('dense')).toBeGreaterThan(0.45);
    expect(bytes('moa-50') / bytes('dense')).toBeLessThanOrEqual(0.5);
  });

  test('times every contender and the control in both processes, side by side', () => {
    const measurements = recordsOf(readRecords(log(out)).records, 'measurement');
    const arms = measurements.map((m) => `${m.measure} ${m.method} ${m.cache} ${m.control ? 'control ' : ''}${m.process}`);
    expect(new Set(arms).size).toBe(2 * 5 * 2); // prefill and decode; three methods, the growing cache and the control; two processes
    expect(arms).toHaveLength(20);
    for (const m of measurements) expect(m.samplesMs).toHaveLength(3);
  });

  test('summary.json is what the schema says, with an interval for every accuracy', () => {
    const summary = summarySchema.parse(JSON.parse(readFileSync(join(out, 'summary.json'), 'utf8')));
    for (const method of summary.methods) {
      const accuracy = method.retrieval?.lengths[0]?.accuracy;
      expect(accuracy?.n).toBe(4);
      expect(accuracy?.low).toBeLessThanOrEqual(accuracy?.high ?? 0);
    }
  });

  test('--dry-run knows that everything is done', async () => {
    const dry = await moabench(['run', suite, '--out', out, '--resume', '--dry-run', '--json']).ended;
    const { cells }: { cells: { status: string; id: string }[] } = JSON.parse(dry.stdout);
    expect(cells.filter((cell) => cell.status !== 'done')).toEqual([]);
  });

  test('a second run without --resume is refused, and nothing is touched', async () => {
    const before = readFileSync(log(out));
    const again = await moabench(['run', suite, '--out', out]).ended;
    expect(again).toMatchObject({ code: 2, stderr: expect.stringContaining('--resume') });
    expect(readFileSync(log(out))).toEqual(before);
  });

  test('killed at any point and resumed, it ends with the same answers and loses at most the sample in flight', async () => {
    const killed = join(folder, 'killed');
    for (const wanted of [0, 1, 9, 17]) {
      const { child, ended } = moabench(['run', suite, '--out', killed, ...(wanted === 0 ? [] : ['--resume'])]);
      while ((lineCount(killed) === 0 || answerCount(killed) < wanted) && child.exitCode === null) await setTimeout(5);
      child.kill('SIGKILL');
      await ended;
    }
    const answered = answers(killed).length;
    const last = await moabench(['run', suite, '--out', killed, '--resume']).ended;
    expect(last).toMatchObject({ code: 0 });
    expect(answers(killed)).toEqual(answers(out));
    expect(answered).toBeGreaterThanOrEqual(17);
  });

  test('Ctrl-C ends it with 130 within a second or so, records kept and readable', async () => {
    const stopped = join(folder, 'stopped');
    const { child, ended } = moabench(['run', suite, '--out', stopped]);
    while (lineCount(stopped) < 6 && child.exitCode === null) await setTimeout(5);
    child.kill('SIGINT');
    expect(await ended).toMatchObject({ code: 130 });
    expect(readRecords(log(stopped)).records.length).toBeGreaterThanOrEqual(6);
    const report = await moabench(['report', stopped]).ended;
    expect(report.stdout).toMatch(/! \d+ of \d+ cells completed; the rest did not run\./);
  });
});

function answerCount(path: string): number {
  return readFileSync(log(path), 'utf8').split(/"kind":"(?:sample|loss)"/).length - 1;
}

function lineCount(path: string): number {
  return existsSync(log(path)) ? readFileSync(log(path), 'utf8').split('\n').length - 1 : 0;
}

test('LongEval and LongBench files are scored as they are, and truncation is counted', async () => {
  const question = '\\nNow the record is over. Tell me what is the <REGISTER_CONTENT> in line calm-river? I need the number.\\n';
  const line = 'line calm-river: REGISTER_CONTENT is <4711>\\n';
  const item = `{"random_idx":["calm-river",0],"expected_number":4711,"num_lines":1,"correct_line":"${line}","prompt":"Now the record start:\\n\\n${line}${question}"}`;
  writeFileSync(join(folder, 'cases.jsonl'), `${item}\n`);
  const context = 'Anna Dorf owns a brass compass. '.repeat(300);
  const qasper = {
    input: 'What does Anna Dorf own?',
    context,
    answers: ['a brass compass'],
    all_classes: null,
    length: 1800,
    dataset: 'qasper',
    language: 'en',
    _id: 'x1',
  };
  writeFileSync(join(folder, 'qasper.jsonl'), `${JSON.stringify(qasper)}\n`);
  const files = join(folder, 'files.yaml');
  const quality = [
    'quality:',
    '  retrieval: { lengths: [512], samples: 1, source: { kind: longeval, files: [{ path: cases.jsonl, length: 512 }] } }',
    '  longbench: { tasks: [qasper], length: 1024, samples: 1, source: { kind: longbench, folder: . } }',
  ].join('\n');
  writeFileSync(files, `version: 1\nname: files\nmodel: { path: models/reference }\nmethods: [{ id: dense, method: dense }]\n${quality}\n`);
  const path = join(folder, 'files');
  expect(await moabench(['run', files, '--out', path]).ended).toMatchObject({ code: 0 });
  const [lines, qa] = recordsOf(readRecords(log(path)).records, 'sample');
  expect(lines).toMatchObject({ task: 'lines', expected: ['4711'], truncatedTokens: 0 });
  expect(qa).toMatchObject({ task: 'qasper', expected: ['a brass compass'] });
  // 128 of the length are for the answer.
  expect(qa?.promptTokens).toBeLessThanOrEqual(1024 - 128);
  expect(qa?.truncatedTokens).toBeGreaterThan(1000);

  const longbench = `quality: { ${quality.split('\n')[2]?.trim().replace('samples: 1', 'samples: 200')} }`;
  writeFileSync(
    files,
    `version: 1\nname: files\nmodel: { path: models/reference }\nmethods: [{ id: dense, method: dense }]\n${longbench}\n`,
  );
  const short = await moabench(['run', files, '--out', join(folder, 'short')]).ended;
  expect(short).toMatchObject({ code: 1, stdout: expect.stringContaining('qasper.jsonl has 1 of the 200 samples asked for') });
  expect(short.stderr).toContain('note: qasper.jsonl has 1 of the 200 samples asked for');
});

describe('what cannot be run', () => {
  test('a malformed suite gives file, line, field and value, and exit code 2', async () => {
    const bad = join(folder, 'bad.yaml');
    writeFileSync(
      bad,
      'version: 1\nname: bad\nmodel: { path: models/reference }\nmethods:\n  - { id: a, method: streaming, density: 1.5 }\nreport: { baseline: a }\n',
    );
    const run = await moabench(['run', bad]).ended;
    expect(run).toMatchObject({ code: 2 });
    expect(run.stderr).toMatch(/bad\.yaml:5:\d+ methods\[0\]\.density: .*1\.5/);
  });

  test('an output folder that cannot be made is one clear sentence', async () => {
    writeFileSync(join(folder, 'file'), '');
    const run = await moabench(['run', suite, '--out', join(folder, 'file', 'run')]).ended;
    expect(run.code).toBe(1);
    expect(run.stderr).toMatch(/^error: Could not create .*file\/run: .*not a folder/m);
  });

  test('a method without a plan fails alone: the others are scored, and the report says what happened', async () => {
    const mixed = join(folder, 'mixed.yaml');
    const methods = '[{ id: dense, method: dense }, { id: lost, method: plan, path: none.json }]';
    writeFileSync(
      mixed,
      `version: 1\nname: mixed\nmodel: { path: models/reference }\nmethods: ${methods}\nquality: { retrieval: { lengths: [512], samples: 1 } }\n`,
    );
    const path = join(folder, 'mixed');
    const run = await moabench(['run', mixed, '--only', 'plan*', '*/lines/*', '--out', path, '--quiet']).ended;
    expect(run).toMatchObject({ code: 1, stdout: expect.stringMatching(/failed +plan\/lost: .*none\.json.*\n +hint: /) });
    expect(run.stdout).toContain('skipped retrieval/lines/512/lost');
    const summary = summarySchema.parse(JSON.parse(readFileSync(join(path, 'summary.json'), 'utf8')));
    expect(summary.command).toBe(`moabench run ${mixed} --only 'plan*' '*/lines/*'`);
    expect(summary.cells.failed).toEqual([{ cellId: 'plan/lost', message: expect.stringContaining('none.json') }]);
    expect(summary.methods[0]?.retrieval?.lengths[0]?.accuracy.n).toBe(1);
  });

  test('a model that is not there is named', async () => {
    const missing = join(folder, 'missing.yaml');
    writeFileSync(
      missing,
      'version: 1\nname: m\nmodel: { path: models/none }\nmethods: [{ id: dense, method: dense }]\nquality: { retrieval: { lengths: [512], samples: 1 } }\n',
    );
    mkdirSync(join(folder, 'm'));
    const run = await moabench(['run', missing, '--out', join(folder, 'm')]).ended;
    expect(run).toMatchObject({ code: 2, stderr: expect.stringContaining('models/none') });
  });
});
