import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { parseJson, parseOrThrow, readJson, readJsonAs } from '../../src/core/json-file.ts';
import { errorOf } from '../error-of.ts';

const schema = z.strictObject({ name: z.string(), sizes: z.array(z.int().min(1)) });
const context = { what: 'a box', path: 'box.json', hint: 'Make it again.' };

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'moabench-json-'));
});

describe('parseOrThrow', () => {
  it('names the file, the first wrong field, its value and how many more are wrong', () => {
    const error = errorOf(() => parseOrThrow(schema, { name: 3, sizes: [1, 0] }, context));
    expect(error).toMatchObject({ code: 'INVALID_FILE', hint: 'Make it again.' });
    expect(error.message).toBe(
      'Expected a box in box.json but received 3 for name: Invalid input: expected string, received number (and 1 more)',
    );
    expect(errorOf(() => parseOrThrow(schema, { name: 'a', sizes: [1, 0] }, context)).message).toContain('received 0 for sizes.1: ');
  });

  it('speaks of the whole value where no field is to blame', () => {
    expect(errorOf(() => parseOrThrow(schema, null, context)).message).toMatch(/^Expected a box in box\.json but received null: /);
    expect(errorOf(() => parseOrThrow(schema, { name: 'a', sizes: [], more: 1 }, context)).message).toContain(': one key is unknown here');
    expect(errorOf(() => parseOrThrow(schema, { name: 'a', sizes: [], more: 1 }, context)).found).toBe('"more"');
  });

  it.each([
    ['secret', 'text of 6 characters'],
    [[1, 'secret'], 'a list of 2'],
    [4711, 'a number'],
    [{ name: 'a', sizes: [], secret: 1 }, 'an object'],
    [{ name: ['secret'], sizes: [] }, 'a list of 1 for name'],
    [{ name: 'a', sizes: 'secret' }, 'text of 6 characters for sizes'],
  ])('does not quote the contents of %j', (value, received) => {
    const { message } = errorOf(() => parseOrThrow(schema, value, context));
    expect(message).toContain(`Expected a box in box.json but received ${received}: `);
    expect(message).not.toMatch(/secret|4711/);
  });

  it('gives the value or a typed error that names the file, for any value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(errorOf(() => parseOrThrow(schema, [value], context))).toMatchObject({
          code: 'INVALID_FILE',
          message: expect.stringContaining('box.json'),
        });
      }),
    );
    expect(parseOrThrow(schema, { name: 'a', sizes: [2] }, context)).toEqual({ name: 'a', sizes: [2] });
  });
});

describe('parseJson', () => {
  it.each([
    ['{"a": secret}', 'other text at line 1, column 7'],
    ['root:x:0:0:secret\ndaemon', 'other text at line 1, column 1'],
    ['{\n  "a": 1\n  "secret": 2}', 'other text at line 3, column 3'],
    ['[1, 2\nsecret]', 'other text at line 2, column 1'],
    ['[1,, "secret"]', 'other text at line 1, column 4'],
    ['{"secret": [1', 'text that ends too early'],
    ['["secret', 'text that ends too early'],
    ['', 'no text'],
  ])('says where %j stops being JSON and quotes none of it', (text, received) => {
    const error = errorOf(() => parseJson(text, 'a.json', 'Look at it.'));
    expect(error).toMatchObject({ code: 'INVALID_FILE', hint: 'Look at it.', message: `Expected JSON in a.json but received ${received}` });
    expect(error.found).toBe(JSON.stringify(text));
  });

  it('bounds how deep values nest, and takes brackets in strings for text', () => {
    const deep = (levels: number): string => `${'['.repeat(levels)}${']'.repeat(levels)}`;
    expect(errorOf(() => parseJson(deep(129), 'a.json')).message).toContain('nested more than 128 deep');
    expect(errorOf(() => parseJson('[{"a":'.repeat(2_000_000), 'a.json')).message).toContain('nested more than 128 deep');
    expect(parseJson(deep(128), 'a.json')).toBeInstanceOf(Array);
    const text = JSON.stringify([`"\\${'['.repeat(1000)}`]);
    expect(parseJson(text, 'a.json')).toEqual(JSON.parse(text));
  });
});

describe('files', () => {
  it('are read by path or URL and checked', () => {
    const path = join(folder, 'good.json');
    writeFileSync(path, '{"name": "a", "sizes": [1]}');
    expect(readJson(path)).toEqual({ name: 'a', sizes: [1] });
    expect(readJsonAs(schema, pathToFileURL(path), { what: 'a box' })).toEqual({ name: 'a', sizes: [1] });
    writeFileSync(path, '{"name": "a"}');
    expect(errorOf(() => readJsonAs(schema, path, { what: 'a box' })).message).toContain(
      `Expected a box in ${path} but received undefined`,
    );
  });

  it('that are missing, or folders, are typed errors', () => {
    const missing = join(folder, 'none.json');
    expect(errorOf(() => readJson(missing))).toMatchObject({ code: 'NOT_FOUND', message: expect.stringContaining(missing) });
    expect(errorOf(() => readJson(folder))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: `Could not read ${folder}: it is a folder`,
    });
  });
});
