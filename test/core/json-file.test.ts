import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { parseJson, parseOrThrow, readJson, readJsonAs } from '../../src/core/json-file.ts';
import { errorOf } from '../error-of.ts';

const schema = z.strictObject({ name: z.string(), sizes: z.array(z.int().min(1)) });
const context = { what: 'a box', path: 'box.json', hint: 'Make it again.' };

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'moabench-json-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

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
    expect(errorOf(() => parseOrThrow(schema, { name: 'a', sizes: [], more: 1 }, context)).message).toContain('Unrecognized key: "more"');
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
  it('shows how text that is no JSON begins', () => {
    const error = errorOf(() => parseJson(`{"a": ${'x'.repeat(500)}`, 'a.json', 'Look at it.'));
    expect(error).toMatchObject({ code: 'INVALID_FILE', hint: 'Look at it.' });
    expect(error.message).toMatch(/^Expected JSON in a\.json but received "\{\\"a\\": x/);
    expect(error.message.length).toBeLessThan(300);
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
