import { expect, it } from 'vitest';
import { median } from '../../src/core/statistics/descriptive.ts';
import { recordsOf } from '../../src/records/record.ts';
import { methodStyles } from '../../src/report/chart.ts';
import { roundsCharts } from '../../src/report/charts/rounds.ts';
import { roundsTable } from '../../src/report/rounds.ts';
import { lightTheme } from '../../src/report/theme.ts';
import { makeReport } from '../../src/report/write.ts';
import { selectRecords } from '../../src/summary/selection.ts';
import { syntheticEnvironment, syntheticRecords, syntheticSuite } from './synthetic-run.ts';

const suite = syntheticSuite({ samples: 2, methods: ['dense', 'moa-25'] });
const records = syntheticRecords(suite);
const selection = selectRecords(records, suite);
const { summary, files } = await makeReport({ records, suite, environment: syntheticEnvironment });
const styles = methodStyles(summary);

it('has every round of every process beside the median, the control too', () => {
  const { head, rows, cut } = roundsTable(selection, styles);
  expect(head).toEqual(['', 'Method', 'Context', 'Batch', 'Lower quartile', 'Median', 'Process 1', 'Process 2', 'Process 3']);
  // Two methods, the growing cache and the control, in four conditions of decoding and two of prefill.
  expect(rows).toHaveLength(4 * 6);
  expect(rows.map(([, label]) => label).slice(0, 4)).toEqual(['Dense', 'MoA 25%', 'Dense (growing)', 'Dense (control)']);
  const own = recordsOf(records, 'measurement').filter(
    (m) => m.method === 'moa-25' && m.measure === 'decode' && m.length === 4096 && m.batch === 1,
  );
  const row = rows.find(([measure, label, context, batch]) => `${measure}${label}${context}${batch}` === 'decodeMoA 25%4,0961') ?? [];
  expect(row[5]).toBe(median(own.flatMap(({ samplesMs }) => samplesMs)).toPrecision(4));
  expect(row.slice(6)).toEqual(own.map(({ samplesMs }) => samplesMs.map((ms) => ms.toPrecision(4)).join(' ')));
  expect(cut).toBe(false);
  expect(files.get('report.md')).toContain(`| ${row.join(' | ')} |`);
  expect(files.get('report.html')).toContain(`<tr>${row.map((cell) => `<td>${cell}</td>`).join('')}</tr>`);
});

it('shows the first of many rounds, and says how many more there are', () => {
  const many = selection.measurements.map((m) => ({ ...m, samplesMs: Array.from({ length: 10_000 }, (_, i) => 1 + (i % 7)) }));
  const { rows, cut } = roundsTable({ ...selection, measurements: many }, styles);
  expect(cut).toBe(true);
  expect(rows[0]?.at(-1)).toMatch(/^(\d\.000 ){12}and 9,988 more$/);
  for (const chart of roundsCharts({ ...selection, measurements: many }, styles)) {
    expect(chart.rows.length).toBeLessThanOrEqual(3000 + many.length);
    expect(chart.caption).toMatch(/^One round in 40 of 120000 is drawn; csv\/timings\.csv has all\.$/);
  }
});

it('draws a chart for each condition, with a point for every round', () => {
  const charts = roundsCharts(selection, styles);
  expect(charts.map(({ id }) => id)).toEqual([
    'rounds-decode-4096x1',
    'rounds-decode-4096x4',
    'rounds-decode-8192x1',
    'rounds-decode-8192x4',
    'rounds-prefill-2048',
    'rounds-prefill-4096',
  ]);
  const drawn = charts.flatMap(({ rows }) => rows.map(({ ms }) => ms));
  expect(drawn.toSorted()).toEqual(selection.measurements.flatMap(({ samplesMs }) => samplesMs).toSorted());
});

it('labels the ends and the middle of the axis, however narrow the range of the rounds', () => {
  const ticksOf = (samplesMs: readonly number[]) => {
    const [chart] = roundsCharts(
      { ...selection, measurements: selection.measurements.map((m) => ({ ...m, samplesMs: [...samplesMs] })) },
      styles,
    );
    const spec = JSON.stringify(chart?.spec(lightTheme));
    return [...new Set([...spec.matchAll(/"axis":\{"values":(\[[^\]]*\])/g)].map(([, values]) => values))];
  };
  expect(ticksOf([900, 1000, 1700])).toEqual(['[900,1240,1700]']);
  expect(ticksOf([100.01, 100.02])).toEqual(['[100]']);
});
