import { describe, expect, it } from 'vitest';
import type { RunRecord } from '../../src/records/record.ts';
import { headline } from '../../src/report/headline.ts';
import { headlineText } from '../../src/report/headline-text.ts';
import { makeReport } from '../../src/report/write.ts';
import { summarize } from '../../src/summary/summarize.ts';
import type { Summary } from '../../src/summary/summary.ts';
import { syntheticEnvironment, syntheticRecords, syntheticSuite } from './synthetic-run.ts';

const suite = syntheticSuite({ samples: 6, methods: ['dense', 'uniform-25', 'moa-25'] });
const records = syntheticRecords(suite).filter(({ kind }) => kind !== 'measurement' && kind !== 'capacity' && kind !== 'front');
type Change = (record: RunRecord) => RunRecord | null;
const inputOf = (change: Change) => ({
  records: records.flatMap((record) => change(record) ?? []),
  suite,
  environment: syntheticEnvironment,
});
const summaryOf = (change: Change): Summary => summarize(inputOf(change));
const reportOf = (change: Change) => makeReport(inputOf(change));
const cellsOf = (summary: Summary, name: string): (string | undefined)[] => {
  const { columns, rows } = headline(summary);
  const at = columns.findIndex((column) => column.name === name);
  return rows.map((row) => row.cells[at]);
};
const titleOf = (summary: Summary, name: string): string | undefined =>
  headline(summary).columns.find((column) => column.name === name)?.title;

describe('the headline', () => {
  const summary = summaryOf((record) => record);

  it('has intervals where there are enough samples, and the differences of losses in nats', () => {
    expect(cellsOf(summary, 'Task scores')[0]).toMatch(/^100% \(0\.\d{3}\)$/);
    expect(cellsOf(summary, 'Task scores')[1]).toMatch(/^\d+% \[\d+, \d+\]$/);
    expect(cellsOf(summary, 'Answer loss')[0]).toMatch(/^\d\.\d{3}$/);
    expect(cellsOf(summary, 'Answer loss')[1]).toMatch(/^\+0\.\d{3} \[\+0\.\d{3}, \+0\.\d{3}\]$/);
    expect(titleOf(summary, 'Retrieval')).toBe('mean over lengths');
    expect(titleOf(summary, 'KV memory')).toBe('resident, of dense, at 8,192 tokens');
  });

  it('shows a broken model beside a saturated one in nats, not as a ratio in the thousands', () => {
    const broken = summaryOf((record) =>
      record.kind === 'loss' ? { ...record, sumLoss: record.method === 'dense' ? 0.001 : record.sumLoss * 11 } : record,
    );
    expect(cellsOf(broken, 'Answer loss')[0]).toBe('0.000');
    expect(cellsOf(broken, 'Answer loss')[1]).toMatch(/^\+1\d\.\d{3} \[/);
    expect(headlineText(broken)).not.toMatch(/\d{4}/);
  });

  it('does not call a baseline of 0 100%', () => {
    const nothing = summaryOf((record) =>
      record.kind === 'sample' && record.part === 'longbench' && record.method === 'dense' ? { ...record, score: 0 } : record,
    );
    expect(cellsOf(nothing, 'Task scores')).toEqual(['0.000', '\u2013', '\u2013']);
    expect(nothing.verdicts.join()).not.toContain('mean score');
  });
});

describe('points without an interval', async () => {
  const { summary, files } = await reportOf((record) =>
    (record.kind === 'sample' && record.part === 'longbench') || record.kind === 'loss'
      ? Number(record.sampleId.split('/').at(-1)) < 2
        ? record
        : null
      : record,
  );
  const markdown = files.get('report.md') ?? '';

  it('are marked in the terminal, the report and the page, and explained', () => {
    for (const text of [headlineText(summary), markdown, files.get('report.html') ?? ''])
      expect(text).toMatch(/\d+% (<small>)?\(no interval\)/);
    for (const text of [markdown, files.get('report.html') ?? ''])
      expect(text).toContain('Without interval: too few samples a task, or too alike.');
    expect(headlineText(summary)).toContain('too few a task, or too alike, for an interval');
    expect(markdown).toMatch(/\| code \| 2 \| 0\.\d{3} \(no interval\) \|/);
    expect(markdown).not.toMatch(/NaN|undefined|null/);
  });

  it('have no whiskers in the chart and empty limits in the tables', () => {
    const svg = files.get('charts/scores.svg') ?? '';
    expect(svg).not.toMatch(/aria-roledescription="rule mark"[^>]*><path/);
    expect(svg.match(/aria-roledescription="point"/g)?.length).toBeGreaterThanOrEqual(3 * 6);
    const [head = '', row = ''] = (files.get('csv/scores.csv') ?? '').split('\n');
    const low = row.split(',')[head.split(',').indexOf('scoreLow')];
    expect(low).toBe('');
  });
});

describe('a length and a task that one method lacks', async () => {
  const isLost = (id: string): boolean => /(8192|code\/2048)\/moa-25$/.test(id);
  const { summary, files } = await reportOf((record) => {
    if (record.kind === 'sample' && record.method === 'moa-25' && (record.length === 8192 || record.task === 'code')) return null;
    return record.kind === 'outcome' && isLost(record.cellId) ? null : record;
  });
  const markdown = files.get('report.md') ?? '';

  it('are in no mean, and every mean says so', () => {
    expect(titleOf(summary, 'Retrieval')).toBe('mean of 1,024, 2,048 and 4,096 tokens only');
    expect(titleOf(summary, 'Effective context')).toBe('longest length of 1,024, 2,048 and 4,096 tokens only at \u2265 90%');
    expect(titleOf(summary, 'Task scores')).toBe("mean score, of dense's, over 5 of 6 tasks");
    expect(titleOf(summary, 'KV memory')).toBe('resident, of dense, at 4,096 tokens');
    expect(markdown).toContain('| mean of multi\\_qa, single\\_qa, fewshot, summary, passage | 40 |');
    expect(markdown).toContain('Mean retrieval accuracy over 1,024, 2,048 and 4,096 tokens only of methods');
    expect(markdown).toContain('of which code are left out');
    expect(summary.verdicts).toContainEqual(expect.stringContaining('over 5 of 6 long-context tasks'));
  });

  it('are still in the tables of lengths and tasks, for those who have them', () => {
    expect(markdown).toMatch(/\| MoA 25% \|( \d+% \[\d+, \d+\] \(\d\/6\) \|){3} \u2013 \|/);
    expect(markdown).toMatch(/\| code \| 8 \| 0\.\d{3} \[0\.\d{3}, 0\.\d{3}\] \| 0\.\d{3} \[0\.\d{3}, 0\.\d{3}\] \| \u2013 \|/);
  });
});

describe('a cell that is not complete', async () => {
  const { summary, files } = await reportOf((record) =>
    record.kind === 'sample' && record.method === 'moa-25' && record.length === 1024 && record.sampleId.endsWith('/5') ? null : record,
  );
  it('is marked, and left out of chart and means', () => {
    expect(files.get('report.md')).toMatch(/\| MoA 25% \| \d+% \[\d+, \d+\] \(\d\/5, not complete\) \|/);
    const { data } = JSON.parse(files.get('charts/retrieval.vl.json') ?? '{}') as {
      data: { values: { method: string; length: number }[] };
    };
    expect(data.values.filter(({ method }) => method === 'MoA 25%').map(({ length }) => length)).toEqual([2048, 4096, 8192]);
    expect(summary.common.lengths.leftOut).toEqual([1024]);
  });
});
