import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { suiteJsonSchema } from '../../src/suite/json-schema.ts';
import { parseSuite } from '../../src/suite/load.ts';

const folder = join(import.meta.dirname, '../../suites');

describe('suites/', () => {
  it('has the current JSON Schema (npm run build:ts && node scripts/write-suite-schema.mjs)', () => {
    expect(readFileSync(join(folder, 'suite.schema.json'), 'utf8')).toBe(suiteJsonSchema());
  });

  it('has only suites that load', () => {
    const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'));
    const names = files.map((name) => parseSuite(readFileSync(join(folder, name), 'utf8'), name).name);
    expect(names).toEqual(files.map((name) => name.replace(/\.yaml$/, '')));
  });
});
