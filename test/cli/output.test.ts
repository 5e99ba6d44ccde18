import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const SOURCES = readdirSync('src/cli', { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));

test('the command line writes through the functions that clean what they print', () => {
  const direct = SOURCES.filter((name) => /(stdout|stderr)\.write|console\.\w+\(/.test(readFileSync(join('src/cli', name), 'utf8')));
  expect(direct).toEqual(['output.ts']);
});
