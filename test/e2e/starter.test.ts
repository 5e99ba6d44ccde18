import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { loadSuite } from '../../src/suite/load.ts';
import { summarySchema } from '../../src/summary/summary.ts';
import { moabench } from './tiny-suite.ts';

const folder = mkdtempSync(join(tmpdir(), 'moabench-starter-'));
symlinkSync(resolve('models'), join(folder, 'models'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A run of seconds. */
const SMALL = ['--lengths', '1024', '--tasks', 'retrieval', '--samples', '2'];

describe('moabench init', () => {
  test('writes a suite with comments that validates, and never over a file', async () => {
    const run = await moabench(['init'], folder).ended;
    expect(run).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining('wrote suite.yaml\n') });
    const text = readFileSync(join(folder, 'suite.yaml'), 'utf8');
    expect(text.match(/^ *#/gm)?.length).toBeGreaterThan(8);
    expect(loadSuite(join(folder, 'suite.yaml')).suite).toMatchObject({ name: 'suite', model: { path: 'bundled:reference' } });
    const dry = await moabench(['run', 'suite.yaml', '--dry-run', '--json'], folder).ended;
    expect(dry.code).toBe(0);
    expect(JSON.parse(dry.stdout).cells.length).toBeGreaterThan(30);

    writeFileSync(join(folder, 'suite.yaml'), 'mine');
    const again = await moabench(['init'], folder).ended;
    expect(again).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('suite.yaml is there already') });
    expect(readFileSync(join(folder, 'suite.yaml'), 'utf8')).toBe('mine');
    symlinkSync('elsewhere.yaml', join(folder, 'link.yaml'));
    expect(await moabench(['init', 'link.yaml'], folder).ended).toMatchObject({ code: 2 });
  });

  test('its options say what is in the suite, and the suite runs', async () => {
    const init = await moabench(
      ['init', 'a/Small one.yaml', '--model', 'models/reference', '--method', 'streaming', '--density', '0.25', ...SMALL],
      folder,
    ).ended;
    expect(init).toMatchObject({ code: 0, stdout: expect.stringContaining("Run it: moabench run 'a/Small one.yaml'\n") });
    const { suite } = loadSuite(join(folder, 'a/Small one.yaml'));
    expect(suite.name).toBe('small-one');
    expect(suite.methods.map(({ id }) => id)).toEqual(['dense', 'uniform-25']);
    expect(suite.quality).toMatchObject({ retrieval: { lengths: [1024], samples: 2 } });
    const run = await moabench(['run', 'a/Small one.yaml', '--out', 'small', '--quiet'], folder).ended;
    expect(run).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining('4 cells completed, 0 failed') });
  });
});

describe('moabench run without a suite file', () => {
  const options = ['--model', 'models/reference', '--method', 'moa', '--density', '0.5', ...SMALL];

  test('runs what the options stand for, says how to do it again, and gives the summary as one line of JSON', async () => {
    const run = await moabench(['run', ...options, '--out', 'without', '--json'], folder).ended;
    expect(run.code).toBe(0);
    expect(run.stderr).toMatch(/^calibrate: 0\/\d+, whole run about \d+ (s|min \d+ s) moa-50 /m);
    expect(run.stderr).toMatch(/^retrieval: 0\/6, whole run about \d/m);
    expect(run.stdout.split('\n')).toHaveLength(2);
    const { summary, ...result } = JSON.parse(run.stdout);
    expect(result).toEqual({ folder: 'without', completed: 6, failed: [], skipped: [], short: [] });
    expect(summarySchema.parse(summary)).toEqual(JSON.parse(readFileSync(join(folder, 'without', 'summary.json'), 'utf8')));
    expect(summary.methods.map(({ id }: { id: string }) => id)).toEqual(['dense', 'uniform-50', 'moa-50']);
    expect(summary.command).toBe(`moabench run ${options.join(' ')}`);

    const dry = await moabench(['run', ...options, '--out', 'without', '--resume', '--dry-run', '--json'], folder).ended;
    expect(JSON.parse(dry.stdout).cells.filter(({ status }: { status: string }) => status !== 'done')).toEqual([]);
  });

  test('--print-suite prints the same suite, to go on from', async () => {
    const run = await moabench(['run', ...options, '--print-suite'], folder).ended;
    expect(run).toMatchObject({ code: 0, stderr: '' });
    writeFileSync(join(folder, 'printed.yaml'), run.stdout);
    expect(loadSuite(join(folder, 'printed.yaml')).suite).toEqual(JSON.parse(readFileSync(join(folder, 'without', 'suite.json'), 'utf8')));
  });

  test('a failed cell is 1 with JSON too, and standard output stays JSON', async () => {
    const bad = join(folder, 'bad.yaml');
    writeFileSync(
      bad,
      'version: 1\nname: bad\nmodel: { path: models/reference }\nmethods: [{ id: dense, method: dense }, { id: lost, method: plan, path: none.json }]\nquality: { retrieval: { lengths: [512], samples: 1 } }\n',
    );
    const run = await moabench(['run', bad, '--out', 'bad', '--json', '--quiet'], folder).ended;
    expect(run.code).toBe(1);
    expect(JSON.parse(run.stdout)).toMatchObject({ failed: [{ cellId: 'plan/lost' }], summary: { cells: { completed: 2 } } });
  });

  test.each([
    ['nothing at all', [], 'Expected a suite file or --model but received neither'],
    ['no model', ['--density', '0.5'], 'Expected a suite file or --model but received --density'],
    ['a file and options', ['suite.yaml', '--density', '0.5'], 'Expected either a suite file or --density but received both'],
    ['a misspelt method', ['--model', 'models/reference', '--method', 'mao'], 'Did you mean moa?'],
    ['a misspelt task', ['--model', 'models/reference', '--tasks', 'retrival'], 'Did you mean retrieval?'],
    ['a density in percent', ['--model', 'models/reference', '--density', '50'], 'Did you mean 0.5?'],
    ['a misspelt model', ['--model', 'models/referense'], 'Did you mean models/reference?'],
    ['a folder of models', ['--model', 'models'], 'There are models in it: models/reference. Name one of them.'],
    ['lengths that are too short', ['--model', 'models/reference', '--lengths', '256'], 'Expected a length of at least 1024 tokens'],
  ])('%s: one sentence that helps, and 2', async (_, args, sentence) => {
    const run = await moabench(['run', ...args], folder).ended;
    expect(run).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(sentence) });
    expect(run.stderr).not.toMatch(/^ +at /m);
  });

  test('--help has examples of it', async () => {
    for (const command of ['run', 'init']) {
      const help = await moabench([command, '--help']).ended;
      expect(help).toMatchObject({ code: 0, stdout: expect.stringContaining('Examples:') });
      expect(help.stdout).toContain('--density <shares...>');
    }
    expect((await moabench(['run', '--help']).ended).stdout).toContain(
      '$ moabench run --model bundled:reference --method moa --density 0.5\n',
    );
  });
});
