import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bundledSuites, suiteFile } from '../../src/suite/bundled.ts';
import { loadSuite } from '../../src/suite/load.ts';

const FOLDER = join(import.meta.dirname, '../../suites');

test('every suite of suites/ is bundled, and found by its name', () => {
  const files = readdirSync(FOLDER).filter((file) => file.endsWith('.yaml'));
  expect(bundledSuites().map((name) => `${name}.yaml`)).toEqual(files.sort());
  for (const name of bundledSuites()) expect(loadSuite(name)).toMatchObject({ suite: { name }, path: suiteFile(name), folder: FOLDER });
});

test('a path is not a name', () => {
  for (const path of ['./quick', 'suites/quick.yaml', 'quick.yaml', 'other']) expect(suiteFile(path)).toBe(path);
});

test.each([
  ['elsewhere/quick.yaml', 'The suite quick that comes with moabench is named without a path: `moabench run quick`.'],
  ['elsewhere/mine.yaml', 'Check the path. `moabench suites` lists the suites that come with moabench.'],
])('where %s is missing, the hint says how bundled suites are named', (path, hint) => {
  expect(() => loadSuite(path)).toThrowError(expect.objectContaining({ code: 'NOT_FOUND', hint }));
});
