import { expect, it } from 'vitest';
import { costText, decodeShare, tokensPerSecondPerGB } from '../../src/report/cost.ts';
import { makeReport } from '../../src/report/write.ts';
import { syntheticEnvironment, syntheticRecords, syntheticSuite } from './synthetic-run.ts';

const suite = syntheticSuite({ samples: 4, methods: ['dense', 'uniform-25', 'moa-25'] });
const { summary, files } = await makeReport({ records: syntheticRecords(suite), suite, environment: syntheticEnvironment });
const speed = summary.methods[0]?.decode[0];
if (speed === undefined) throw new Error('Expected a timing');

it('is the rate over the memory at the peak, its interval that of the rate', () => {
  const rate = { estimate: 1000, low: 900, high: 1200, processes: 3, rounds: 27 };
  expect(tokensPerSecondPerGB({ ...speed, tokensPerSecond: rate, peakBytes: 4e9 })).toEqual({
    ...rate,
    estimate: 250,
    low: 225,
    high: 300,
  });
  expect(tokensPerSecondPerGB({ ...speed, tokensPerSecond: { ...rate, low: null, high: null }, peakBytes: 5e8 })).toMatchObject({
    estimate: 2000,
    low: null,
  });
  expect(tokensPerSecondPerGB({ ...speed, peakBytes: null })).toBeNull();
});

it('has three digits at least', () => {
  const n = { processes: 3, rounds: 27 };
  expect(costText({ estimate: 11.43, low: 9.876, high: 12, ...n })).toBe('11.4 [9.88, 12.0]');
  expect(costText({ estimate: 1234.5, low: null, high: null, ...n })).toBe('1,235');
});

it('is the same in the headline, the table of speeds, the CSV and the chart', () => {
  const uniform = summary.methods[1]?.decode.find(({ length, batch, cache }) => length === 8192 && batch === 4 && cache === 'ring');
  const cost = uniform === undefined ? null : tokensPerSecondPerGB(uniform);
  if (cost === null) throw new Error('Expected a cost');
  const text = costText(cost);
  expect(files.get('report.md')?.split(text)).toHaveLength(3);
  expect(files.get('report.html')).toContain(`<td role="cell" data-column="Decode per GB">${text.split(' ')[0]} <small>`);
  const [head = '', ...lines] = (files.get('csv/speed.csv') ?? '').trim().split('\n');
  const column = head.split(',').indexOf('tokensPerSecondPerGB');
  expect(lines.map((line) => Number(line.split(',')[column]))).toContain(cost.estimate);
  const { data } = JSON.parse(files.get('charts/cost.vl.json') ?? '{}') as { data: { values: { estimate: number }[] } };
  expect(data.values.map(({ estimate }) => estimate)).toContain(cost.estimate);
});

it('knows the share of memory of what was timed, the growing cache left out', () => {
  const [dense, uniform] = summary.methods;
  if (dense === undefined || uniform === undefined) throw new Error('Expected methods');
  expect(decodeShare(dense, summary)).toBe(1);
  expect(decodeShare(uniform, summary)).toBeCloseTo(0.25, 2);
  expect(decodeShare({ ...uniform, decode: [] }, summary)).toBeNull();
});
