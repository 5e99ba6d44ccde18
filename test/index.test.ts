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
