import { expect, it } from 'vitest';
import { pairedBinary } from '../../src/evaluate/paired.ts';
import { toPaired } from '../../src/results/paired.ts';
import { summarize } from '../../src/results/summarize.ts';
import type { MethodSummary, Paired, Summary } from '../../src/results/summary.ts';
import { writeVerdicts } from '../../src/results/verdicts.ts';
import { syntheticRecords, syntheticSuite } from '../report/synthetic-run.ts';

const suite = syntheticSuite({ samples: 1, methods: ['dense', 'moa-25'] });
const records = syntheticRecords(suite).filter(
  (record) => record.kind === 'run' || (record.kind === 'sample' && record.part === 'retrieval'),
);
const summary = summarize({ records, suite });

const paired = (lost: number, gained: number, n: number): Paired => {
  const pairs = Array.from({ length: n }, (_, i) => ({
    own: i < lost ? 0 : 1,
    other: i >= lost && i < lost + gained ? 0 : 1,
    cluster: `${i}`,
  }));
  const result = toPaired('dense', pairedBinary(pairs));
  if (result === null) throw new Error('no pairs');
  return result;
};
const withPaired = (meanToBaseline: Paired): Summary => ({
  ...summary,
  checks: [],
  methods: summary.methods.map(
    (method): MethodSummary =>
      method.retrieval === null || method.id === 'dense' ? method : { ...method, retrieval: { ...method.retrieval, meanToBaseline } },
  ),
});
const verdictOn = (result: Paired): string => writeVerdicts(withPaired(result)).find((text) => text.includes('retrieval questions')) ?? '';

it('states a difference that interval and test agree on', () => {
  const verdict = verdictOn(paired(12, 1, 40));
  expect(verdict).toContain('of the retrieval questions, worse than Dense: \u221227.5 points [');
  expect(verdict).toMatch(/\], 12 lost and 1 gained of 40, p = 0\.003\.$/);
  expect(verdictOn(paired(1, 12, 40))).toContain('better than Dense: 27.5 points [');
});

it('does not call a large difference of a few samples none', () => {
  const verdict = verdictOn(paired(4, 0, 6));
  expect(verdict).toContain('worse than Dense, but with too few samples (n = 6) to be certain: \u221266.7 points [\u2212');
  expect(verdict).toMatch(/, 4 lost and 0 gained of 6, p = 0\.13\.$/);
  expect(verdict).not.toContain('no difference');
});

it('calls none what neither interval nor test shows, and says what could have been missed', () => {
  expect(verdictOn(paired(2, 2, 40))).toMatch(
    /no difference from Dense is visible \(0\.0 points \[\u2212[\d.]+, [\d.]+\], 2 lost and 2 gained of 40, p = 1\.00\)\. Differences under [\d.]+ points could have been missed\.$/,
  );
});

it('promises nothing of a handful of samples', () => {
  expect(verdictOn(paired(0, 0, 8))).toMatch(/\. Differences under 80\.1 points could have been missed\.$/);
  expect(verdictOn(paired(0, 0, 5))).toMatch(/\. With 5 pairs any difference could have been missed\.$/);
});

it('words contrasts by interval and adjusted p together', () => {
  const contrastOf = (result: Paired): string =>
    writeVerdicts({ ...withPaired(paired(0, 0, 6)), contrasts: [{ method: 'moa-25', length: null, paired: result }] }).find((text) =>
      text.startsWith('At equal KV memory'),
    ) ?? '';
  expect(contrastOf(paired(0, 12, 40))).toContain('MoA 25% is better at retrieval than Dense: 30.0 points');
  expect(contrastOf({ ...paired(0, 6, 20), pHolm: 0.09 })).toContain(
    'MoA 25% is better at retrieval than Dense, but with too few samples (n = 20) to be certain: 30.0 points',
  );
  expect(contrastOf(paired(1, 1, 20))).toContain('MoA 25% and Dense cannot be told apart (0.0 points');
});
