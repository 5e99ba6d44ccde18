import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { TASK_NAMES } from '../../src/data/tasks.ts';
import { expandCells } from '../../src/suite/cells.ts';
import { suiteJsonSchema } from '../../src/suite/json-schema.ts';
import { parseSuite } from '../../src/suite/load.ts';
import type { Suite } from '../../src/suite/schema.ts';

/** What an example that is only a part of a suite is put into. */
const BASE = { version: 1, name: 'example', model: { path: 'models/reference' }, methods: [{ id: 'dense', method: 'dense' }] };

const page = readFileSync('docs/suites.md', 'utf8');
const examples = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map((block) => {
  const text = block[1] ?? '';
  const line = page.slice(0, block.index).split('\n').length;
  return { line, text: /^version:/m.test(text) ? text : stringify({ ...BASE, ...(parse(text) as object) }) };
});
const suiteOf = (text: string): Suite => parseSuite(text, 'docs/suites.md', { generatedTasks: TASK_NAMES });

describe('examples of docs/suites.md', () => {
  test.each(examples)('the one in line $line is a suite whose cells can be listed', ({ text }) => {
    const suite = suiteOf(text);
    const cells = expandCells(suite);
    expect(cells.filter((cell) => cell.kind === 'plan').map((cell) => cell.method)).toEqual(suite.methods.map((method) => method.id));
    expect(new Set(cells.map((cell) => cell.id)).size).toBe(cells.length);
  });

  test('the plans that they name are among the suites', () => {
    const paths = examples.flatMap(({ text }) =>
      suiteOf(text).methods.flatMap((method) => (method.method === 'plan' ? [method.path] : [])),
    );
    expect(paths.length).toBeGreaterThan(0);
    for (const path of paths) expect(existsSync(join('suites', path)), path).toBe(true);
  });

  test.each(['method', 'kind'])('every %s that the schema knows is in one of them', (discriminator) => {
    const known = constantsOf(JSON.parse(suiteJsonSchema()), discriminator);
    const shown = examples.flatMap(({ text }) => valuesOf(parse(text), discriminator));
    expect(known.size).toBeGreaterThan(1);
    expect([...known].filter((value) => !shown.includes(value))).toEqual([]);
  });

  test('every setting that the schema knows is in one of them', () => {
    const known = new Set(propertiesOf(JSON.parse(suiteJsonSchema())));
    const shown = new Set(examples.flatMap(({ text }) => keysOf(parse(text))));
    expect(known.size).toBeGreaterThan(50);
    expect([...known].filter((name) => !shown.has(name))).toEqual([]);
  });

  test('every generated task is in the table of tasks', () => {
    expect(TASK_NAMES.filter((name) => !new RegExp(`^\\|.*\`${name}\``, 'm').test(page))).toEqual([]);
  });
});

/** The values of a schema's discriminator, wherever it is a property. */
function constantsOf(schema: unknown, discriminator: string): Set<unknown> {
  const found = valuesOf(schema, discriminator).flatMap((value) =>
    typeof value === 'object' && value !== null && 'const' in value ? [value.const] : [],
  );
  return new Set(found);
}

/** Every value under a key, at any depth. */
function valuesOf(value: unknown, key: string): unknown[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => [...(name === key ? [inner] : []), ...valuesOf(inner, key)]);
}

/** Names of the properties of a schema's objects, at any depth. */
function propertiesOf(schema: unknown): string[] {
  return valuesOf(schema, 'properties').flatMap((properties) => Object.keys(properties as object));
}

/** Keys of a value's objects, at any depth. */
function keysOf(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return [...(Array.isArray(value) ? [] : Object.keys(value)), ...Object.values(value).flatMap(keysOf)];
}
