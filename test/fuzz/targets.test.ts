// The fuzz targets over their corpus and seeded random changes of it: what `npm run fuzz` searches for hours must at least not fail here.
import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { expect, test } from 'vitest';

/** Null where the input is refused; any error but a MoaError is thrown. */
type Fuzz = (data: Uint8Array) => unknown;

const RUNS = { seed: 15, numRuns: 40 } as const;
/** What readers of JSON, YAML, templates and numbers trip over. */
const TOKENS = [
  '"',
  '{',
  '[',
  ']',
  '}',
  ',',
  ':',
  '-',
  '0',
  '1e999',
  'null',
  '"__proto__":1,',
  '\0',
  '\n',
  '\ud800',
  '\u202e',
  '{{',
  '{%',
  '&a ',
  '*a',
];

const targets = readdirSync('fuzz/corpus');
const seedsOf = (target: string): readonly Uint8Array[] =>
  readdirSync(`fuzz/corpus/${target}`).map((file) => readFileSync(`fuzz/corpus/${target}/${file}`));

async function load(target: string): Promise<Fuzz> {
  const { fuzz } = (await import(pathToFileURL(resolve(`fuzz/targets/${target}.mjs`)).href)) as { fuzz: Fuzz };
  return fuzz;
}

/** A few bytes removed and others put in their place. */
const change = fc.record({
  at: fc.integer({ min: 0, max: 2 ** 20 }),
  removed: fc.integer({ min: 0, max: 12 }),
  inserted: fc.oneof(
    fc.uint8Array({ maxLength: 4 }),
    fc.constantFrom(...TOKENS).map((token) => Buffer.from(token)),
  ),
});

function changed(seed: Uint8Array, changes: readonly { at: number; removed: number; inserted: Uint8Array }[]): Uint8Array {
  return changes.reduce((data, { at, removed, inserted }) => {
    const start = at % (data.length + 1);
    return Buffer.concat([data.subarray(0, start), inserted, data.subarray(start + removed)]);
  }, seed);
}

test.each(targets)('%s: a seed gets past the reader, so that changes of it reach what is behind', async (target) => {
  const fuzz = await load(target);
  expect(seedsOf(target).some((seed) => fuzz(seed) !== null)).toBe(true);
});

test.each(targets)('%s: changes of the corpus are read or refused in a sentence', async (target) => {
  const fuzz = await load(target);
  const inputs = fc.tuple(fc.constantFrom(...seedsOf(target)), fc.array(change, { minLength: 1, maxLength: 4 }));
  fc.assert(
    fc.property(inputs, ([seed, changes]) => {
      fuzz(changed(seed, changes));
    }),
    RUNS,
  );
});
