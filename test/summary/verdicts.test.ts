import { describe, expect, it } from 'vitest';
import { pairedBinary } from '../../src/evaluate/paired.ts';
import { toPaired } from '../../src/summary/paired.ts';
import { summarize } from '../../src/summary/summarize.ts';
import type { MethodSummary, Paired, Summary } from '../../src/summary/summary.ts';
import { writeVerdicts } from '../../src/summary/verdicts.ts';
import { syntheticRecords, syntheticSuite } from '../report/synthetic-run.ts';

const suite = syntheticSuite({ samples: 1, methods: ['dense', 'moa-25'] });
const records = syntheticRecords(suite).filter(
  (record) => ['run', 'outcome'].includes(record.kind) || (record.kind === 'sample' && record.part === 'retrieval'),
);
const summary = summarize({ records, suite });

/** One of `comparisons` whose adjusted p-value is Bonferroni's: that of the smallest by Holm. */
const paired = (lost: number, gained: number, n: number, comparisons = 1): Paired => {
  const pairs = Array.from({ length: n }, (_, i) => ({
    own: i < lost ? 0 : 1,
    other: i >= lost && i < lost + gained ? 0 : 1,
    cluster: `${i}`,
  }));
  const result = toPaired('dense', pairedBinary([pairs]));
  if (result === null) throw new Error('no pairs');
  return { ...result, comparisons, pHolm: Math.min(1, comparisons * (result.p ?? Number.NaN)) };
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

it('states a difference that is one after adjustment', () => {
  const verdict = verdictOn(paired(12, 1, 40));
  expect(verdict).toContain('of the retrieval questions, worse than Dense: \u221227.5 points [');
  expect(verdict).toMatch(/\], 12 lost and 1 gained of 40, p = 0\.002\.$/);
  expect(verdictOn(paired(1, 12, 40))).toContain('better than Dense: 27.5 points [');
  expect(verdictOn(paired(12, 1, 40, 6))).toMatch(/12 lost and 1 gained of 40, Holm-adjusted p = 0\.011 over 6 comparisons\.$/);
});

it('calls no difference whose interval alone leaves out 0', () => {
  const alone = paired(6, 0, 40);
  expect(alone.delta.high).toBeLessThan(0);
  expect(verdictOn(alone)).toContain('worse than Dense: ');
  const inFamily = verdictOn(paired(6, 0, 40, 6));
  expect(inFamily).toContain('a difference from Dense is not established (\u221215.0 points [');
  expect(inFamily).toContain('Holm-adjusted p = 0.094 over 6 comparisons)');
  expect(inFamily).not.toMatch(/worse|better|certain/);
});

it('says what is not ruled out, by the interval beside it', () => {
  for (const result of [paired(2, 2, 40), paired(0, 0, 5), paired(7, 3, 128)]) {
    const [, low] = /points \[\u2212([\d.]+), /.exec(verdictOn(result)) ?? [];
    expect(verdictOn(result).endsWith(` A loss of up to ${low} points is not ruled out.`)).toBe(true);
  }
  expect(verdictOn(paired(0, 6, 40, 9))).not.toContain('ruled out');
});

it('words contrasts by the adjusted p, and by who has how many bytes', () => {
  const contrastOf = (result: Paired, leastBytesRatio = 1): string =>
    writeVerdicts({
      ...withPaired(paired(0, 0, 6)),
      contrasts: [{ method: 'moa-25', length: null, budget: leastBytesRatio < 0.98 ? 'fewer' : 'equal', leastBytesRatio, paired: result }],
    }).find((text) => text.includes('KV memory') && !text.includes('questions')) ?? '';
  expect(contrastOf(paired(0, 12, 40))).toContain('At equal KV memory, MoA 25% is better at retrieval than Dense: 30.0 points');
  expect(contrastOf(paired(0, 6, 20, 9))).toContain('At equal KV memory, MoA 25% and Dense cannot be told apart (30.0 points');
  expect(contrastOf(paired(0, 12, 40), 0.95)).toContain('With no more KV memory (down to 95.0% of it), MoA 25% is better');
  expect(contrastOf(paired(12, 0, 40), 0.95)).toContain('With less KV memory (down to 95.0% of it), MoA 25% is worse');
  expect(contrastOf(paired(1, 1, 20))).toContain('MoA 25% and Dense cannot be told apart (0.0 points');
});

describe('task scores and losses', () => {
  const base = withPaired(paired(0, 0, 6));
  const difference = (estimate: number, pHolm: number | null, half = 0.02): Paired => ({
    other: 'dense',
    delta: pHolm === null ? { estimate, low: null, high: null, n: 12 } : { estimate, low: estimate - half, high: estimate + half, n: 72 },
    test: 'stratified-t',
    p: pHolm,
    pHolm,
    comparisons: pHolm === null ? 0 : 2,
    lost: 1,
    gained: 1,
  });
  const withParts = (parts: Partial<MethodSummary>): string[] =>
    writeVerdicts({
      ...base,
      common: { ...base.common, tasks: { used: ['a', 'b'], leftOut: [] } },
      methods: base.methods.map((method) => (method.id === 'dense' ? method : { ...method, retrieval: null, ...parts })),
    });
  const scores = (relative: NonNullable<MethodSummary['scores']>['categories'][number]['relative'], paired: Paired) => ({
    scores: {
      length: 2048,
      tasks: [],
      categories: [],
      mean: { name: 'mean', score: { estimate: 0.5, low: null, high: null, n: 12 }, relative },
      meanToBaseline: paired,
    },
  });
  const losses = (paired: Paired) => ({ perplexity: { length: 2048, loss: null, toBaseline: paired, tasks: [] } });

  it('are told with their interval and adjusted p', () => {
    const relative = { estimate: 0.99, low: 0.96, high: 1.02, n: 72 };
    expect(withParts(scores(relative, difference(-0.005, 0.6)))).toContain(
      "MoA 25% keeps 99% [96, 102] of Dense's mean score over 2 long-context tasks (n = 72 samples, Holm-adjusted p = 0.60 over 2 comparisons).",
    );
    expect(withParts(losses(difference(0.03, 0.004)))).toContain(
      "With MoA 25%, the answers' loss is higher than with Dense: +0.030 nats per token [+0.010, +0.050] (perplexity 103% of Dense's, n = 72 samples, Holm-adjusted p = 0.004 over 2 comparisons).",
    );
    expect(withParts(losses(difference(0.01, 0.4)))[0]).toContain(
      "a difference of the answers' loss from Dense's is not established: +0.010",
    );
  });

  it('are points where there is no interval', () => {
    const relative = { estimate: 0.99, low: null, high: null, n: 12 };
    expect(withParts(scores(relative, difference(-0.005, null)))).toContain(
      "MoA 25% keeps 99% (no interval) of Dense's mean score over 2 long-context tasks (n = 12 samples; too few a task, or too alike, for an interval).",
    );
    expect(withParts(losses(difference(0.01, null)))[0]).toContain(
      "the loss of the answers beside Dense's is +0.010 nats per token (no interval)",
    );
  });

  it('say nothing relative to a baseline of 0, and give no ratio of perplexities that exploded', () => {
    expect(withParts(scores(null, difference(0.5, 0.01))).join()).not.toContain('mean score');
    const [broken] = withParts(losses(difference(11.17, 0.001, 1)));
    expect(broken).toContain('+11.170 nats per token [+10.170, +12.170] (n = 72 samples');
    expect(broken).not.toContain('perplexity');
  });
});
