import { expect, it } from 'vitest';
import { csvFiles } from '../../src/report/csv.ts';
import { makeReport } from '../../src/report/write.ts';
import { selectRecords } from '../../src/summary/selection.ts';
import { syntheticEnvironment, syntheticRecords, syntheticSuite } from './synthetic-run.ts';

const suite = syntheticSuite({ samples: 4, methods: ['dense', 'moa-25'] });
const records = syntheticRecords(suite);
const { summary } = await makeReport({ records, suite, environment: syntheticEnvironment });

it('puts the accounts of plan, allocator and device side by side', () => {
  const device = { freeBytes: 5, totalBytes: 80, poolReservedBytes: 40, poolUsedBytes: 30 };
  const measured = records.map((r) => (r.kind === 'measurement' || r.kind === 'capacity' ? { ...r, deviceMemory: device } : r));
  const table = csvFiles(summary, selectRecords(measured, suite)).get('device-memory.csv') ?? '';
  const [header, first, ...rest] = table.trim().split('\n');
  const columns = 'plannedKvBytes,residentKvBytes,peakBytes,freeBytes,totalBytes,poolReservedBytes,poolUsedBytes';
  expect(header).toBe(`method,measure,cache,length,batch,${columns}`);
  expect(first).toMatch(/^dense,prefill,full,2048,1,\d+,\d+,\d+,5,80,40,30$/);
  expect(rest.at(-1)).toMatch(/^\S+,maxBatch,\w+,4096,\d+,,,[\d.]+,5,80,40,30$/);
});

it('has the loss of every document', () => {
  const [header, ...lines] = (csvFiles(summary, selectRecords(records, suite)).get('losses.csv') ?? '').trim().split('\n');
  expect(header).toBe('method,task,length,sampleId,promptTokens,answerTokens,natsPerToken,kvBytes');
  const losses = records.flatMap((r) =>
    r.kind === 'loss' ? [`${r.method},${r.task},${r.length},${r.sampleId},${r.sumLoss / r.answerTokens}`] : [],
  );
  expect(losses.length).toBeGreaterThan(0);
  expect(
    lines.map((line) => line.split(',')).map(([method, task, length, id, , , nats]) => [method, task, length, id, nats].join(',')),
  ).toEqual(losses);
});

it('has no such table for host memory', () => {
  expect(csvFiles(summary, selectRecords(records, suite)).has('device-memory.csv')).toBe(false);
});

it.each([
  ['=1+1', `'=1+1`],
  ['+1', `'+1`],
  ['-1', `'-1`],
  ['@SUM(A1)', `'@SUM(A1)`],
  [' =1+1', `"' =1+1"`],
  ['\n=1+1', `"'\n=1+1"`],
  ['\ufeff=1+1', `'\ufeff=1+1`],
  ['\t=1+1', `'\t=1+1`],
  ['\uff1d1+1', `'\uff1d1+1`],
  ['a =1+1', 'a =1+1'],
])('the answer %j is no formula in a spreadsheet', (output, written) => {
  const answered = records.map((r) => (r.kind === 'sample' ? { ...r, output } : r));
  const table = csvFiles(summary, selectRecords(answered, suite)).get('samples.csv') ?? '';
  expect(table.replaceAll('"', '')).toContain(`,${written.replaceAll('"', '')},`);
});
