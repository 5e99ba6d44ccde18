import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import * as api from '../src/index.ts';

test('docs/api.md names every export, and no other', () => {
  const page = readFileSync(join(import.meta.dirname, '../docs/api.md'), 'utf8');
  const table = page.slice(page.indexOf('## What there is'));
  const named = [...table.matchAll(/`(\w+)(?:\(\w*\))?`/g)].map((match) => match[1]).filter((name) => name !== 'moabench');
  expect([...new Set([...named, 'MoaError'])].sort()).toEqual(Object.keys(api).sort());
});

/** Names that src/index.ts exports, with the file that declares each. */
function declarations(): { readonly name: string; readonly file: string }[] {
  const source = join(import.meta.dirname, '../src');
  const text = readFileSync(join(source, 'index.ts'), 'utf8');
  return [...text.matchAll(/export (?:type )?\{([^}]+)\} from '(.+)'/g)].flatMap(([, names = '', path = '']) =>
    names.split(',').map((name) => ({
      name: name
        .trim()
        .replace(/^type /, '')
        .replace(/ as .*/, ''),
      file: join(source, path),
    })),
  );
}

test('every export, types included, says what it is where it is declared', () => {
  const undocumented = declarations().filter(({ name, file }) => {
    const declared = new RegExp(`\\*/\\nexport (?:async )?(?:interface|type|class|const|function\\*?) ${name}\\b`);
    return !declared.test(readFileSync(file, 'utf8'));
  });
  expect(undocumented.map(({ name }) => name)).toEqual([]);
});
