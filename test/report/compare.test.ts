import { describe, expect, test } from 'vitest';
import { comparisonMarkdown } from '../../src/report/compare-markdown.ts';
import { comparisonText } from '../../src/report/compare-text.ts';
import { comparisonPage } from '../../src/report/html/compare-page.ts';
import { compareRuns } from '../../src/summary/compare/compare.ts';
import { editing, sideInput, smallSuite } from '../summary/compare/two-runs.ts';
import { HOSTILE_LABELS } from './hostile-run.ts';

const suite = smallSuite();
const regression = compareRuns({
  base: sideInput('runs/main'),
  head: sideInput('runs/pull-request', {
    edit: (record) =>
      editing(
        'sample',
        (sample) =>
          sample.part === 'retrieval' && Number(sample.sampleId.split('/').at(-1)) < 8
            ? { ...sample, score: 0, correct: false, output: '?' }
            : sample,
        'dense',
      )(
        editing(
          'measurement',
          (m) => (m.measure === 'decode' ? { ...m, samplesMs: m.samplesMs.map((ms) => 1.2 * ms) } : m),
          'moa-50',
        )(record) ?? record,
      ),
  }),
});

describe('a regression in the terminal', () => {
  const lines = comparisonText(regression).split('\n');

  test('is said first, in one sentence, then what it is, and which runs were compared', () => {
    expect(lines[0]).toBe('Regression: HEAD is worse than BASE in 9 of 100 comparisons.');
    expect(lines[1]).toMatch(
      /^ {2}Dense, retrieval: \u2212\d+\.\d points \[.*\] \(97\.5% in BASE, 58\.8% in HEAD; 31 lost and 0 gained of 80 samples\)$/,
    );
    expect(lines[6]).toMatch(
      /^ {2}MoA 50%, decode at 4,096 tokens: time \+20\.0% \[\+\d+\.\d, \+\d+\.\d\] \(\d+ ms in BASE, \d+ ms in HEAD\)$/,
    );
    expect(lines[9]).toBe('  and 1 more');
    expect(lines[11]).toBe('BASE  runs/main (suite synthetic, model synthetic-7m, commit 0123456789ab*, 2025-03-01, synthetic, 2 threads)');
  });

  test('has a line for what got worse, with numbers, interval and p-value', () => {
    expect(lines.find((line) => /^ {2}WORSE +retrieval +Dense/.test(line))).toMatch(
      /\d+\.\d% +\d+\.\d% +\u2212\d+\.\d points \[\u2212\d+\.\d, \u2212\d+\.\d\] +\d+ \/ 0 +80 +a loss is established; p < 0\.001$/,
    );
    expect(lines.filter((line) => /^ {2}WORSE +decode/.test(line))).toHaveLength(4);
    expect(lines.find((line) => /^ {2}WORSE +decode/.test(line))).toMatch(
      /\+20\.0% \[\+\d+\.\d, \+\d+\.\d\] +3 and 3 +slower beyond the threshold; Holm-adjusted p/,
    );
  });

  test('leaves what is as it was to a tally', () => {
    expect(lines).toContain('Memory: 63 same');
  });
});

test('in Markdown, what got worse stands open, the rest is folded, and lost samples are listed', () => {
  const markdown = comparisonMarkdown(regression);
  expect(markdown).toMatch(/^# Regression: HEAD is worse than BASE in 9 of 100 comparisons\.\n/);
  expect(markdown).toContain('## Quality of each method: 1 WORSE, 8 same');
  expect(markdown).toMatch(/<details><summary>Samples lost: \d+<\/summary>/);
  expect(markdown).toContain(
    'Intervals are 95%. Margin 5.0%, threshold of times 5.0%. Holm-adjusted within each family, at 2.5%: quality of each method',
  );
});

test('the page is one file that loads nothing and runs nothing', () => {
  const page = comparisonPage(regression);
  expect(page).toContain('<meta http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;; style-src');
  expect(page).not.toMatch(/<script|<img|src=|href="(?!data:,)/);
  expect(page).toContain('<h1 class="wrong">Regression: HEAD is worse than BASE in 9 of 100 comparisons.</h1>');
  expect(page).toContain('<h2>Samples lost</h2>');
});

describe('labels that are something else elsewhere', () => {
  const labelled = { ...suite, methods: suite.methods.map((method, i) => ({ ...method, label: HOSTILE_LABELS[i + 3] ?? '' })) };
  const answers = editing('sample', (sample) => ({
    ...sample,
    score: 0,
    correct: sample.part === 'retrieval' ? false : null,
    output: HOSTILE_LABELS.join(''),
  }));
  const head = sideInput('head\u001b[2J', { edit: answers });
  const comparison = compareRuns({ base: sideInput('main'), head: { ...head, suite: labelled } });

  test('are text in the page', () => {
    const page = comparisonPage(comparison);
    expect(page).not.toMatch(/<script|<img|[\u202e\u2028\u001b]/);
    expect(page).toContain('&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;');
  });

  test('are text in Markdown', () => {
    const markdown = comparisonMarkdown(comparison);
    expect(markdown).not.toMatch(/(?<!\\)<(?!\/?(details|summary)>)|[^\\]\]\(http|http:\/\/|^# heading|[\u202e\u2028\u001b]/m);
  });

  test('keep to their line in a terminal', () => {
    const text = comparisonText(comparison);
    expect(text).not.toMatch(/[\u202e\u2028\u001b]/);
    expect(text.split('\n').filter((line) => line.startsWith('# heading'))).toEqual([]);
  });
});
