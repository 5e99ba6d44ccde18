import { appendFileSync, cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { type CodeFolder, type Computation, codeIdentity } from '../../src/run/code-identity.ts';

const ROOT = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'moabench-code-'));
for (const name of ['src', 'datasets', 'package.json']) cpSync(join(ROOT, name), join(folder, name), { recursive: true });
afterAll(() => rmSync(folder, { recursive: true }));
const copy: CodeFolder = { code: join(folder, 'src'), extension: '.ts' };
const COMPUTATIONS: readonly Computation[] = ['plan', 'quality', 'samples', 'timing'];

/** The parts that a change of a file moves, by computation. */
function moved(file: string): string[] {
  const before = COMPUTATIONS.map((computation) => codeIdentity(computation, copy));
  appendFileSync(join(folder, file), file.endsWith('.json') ? ' ' : '\n// changed\n');
  return COMPUTATIONS.flatMap((computation, i) => {
    const [old, now] = [before[i] ?? {}, codeIdentity(computation, copy)];
    return Object.keys(now).flatMap((part) => (old[part] === now[part] ? [] : [`${computation}: ${part}`]));
  });
}

test('a copy of the code has its fingerprint, wherever it lies', () => {
  for (const computation of COMPUTATIONS) expect(codeIdentity(computation, copy)).toEqual(codeIdentity(computation));
});

test.each([
  ['src/model/inference/generate.ts', ['plan: code in model/', 'quality: code in model/', 'timing: code in model/']],
  ['src/evaluate/score.ts', ['quality: code in evaluate/']],
  ['src/data/generators/lines.ts', ['plan: code in data/', 'samples: code in data/']],
  ['datasets/longbench.json', ['samples: datasets/longbench.json']],
  ['src/core/progress.ts', []], // only types: nothing of it is there at run time
  ['src/compress/optimize/grid.ts', ['plan: code in compress/']],
  ['src/measure/generation.ts', ['timing: code in measure/']],
  ['src/report/html/page.ts', []],
  ['src/summary/summarize.ts', []],
  ['src/core/statistics/proportion.ts', []],
  ['src/cli/main.ts', []],
  ['src/run/dry-run.ts', []],
])('a change of %s moves %j', (file, expected) => {
  expect(moved(file)).toEqual(expected);
});

test('the packages that are used are part of it, with their versions', () => {
  expect(codeIdentity('samples', copy)).toMatchObject({ 'package @huggingface/jinja': expect.stringMatching(/^\d/) });
  expect(codeIdentity('plan', copy)).toHaveProperty(['package highs']);
  expect(codeIdentity('quality', copy)).not.toHaveProperty(['package vega']);
});
