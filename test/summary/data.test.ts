import { expect, test } from 'vitest';
import type { RecordOf, RunRecord } from '../../src/records/record.ts';
import { dataRows } from '../../src/report/data-table.ts';
import { dataSection } from '../../src/report/html/sections.ts';
import type { CheckInput } from '../../src/summary/checks/check.ts';
import { dataAsPublished, enoughSamples } from '../../src/summary/checks/data.ts';
import { summarizeData } from '../../src/summary/data.ts';
import { selectRecords } from '../../src/summary/selection.ts';
import type { DataSummary, Summary } from '../../src/summary/summary.ts';
import { syntheticRecords, syntheticSuite } from '../report/synthetic-run.ts';

const suite = syntheticSuite({ samples: 6, methods: ['dense'] });
const sha = 'ab'.repeat(32);
const file = { path: '200_lines.jsonl', sha256: sha, published: true };
function record(more: Partial<RecordOf<'data'>>): RecordOf<'data'> {
  const source = { reader: 'longeval', source: 'https://github.com/DachengLi1/LongChat', revision: '4b5f', licence: 'Apache-2.0' } as const;
  const condition = { part: 'retrieval', task: 'lines', length: 1024, files: [file], asked: 6, usable: 50 } as const;
  return { kind: 'data', time: '2025-03-01T12:00:00.000Z', ...source, ...condition, files: [file], ...more };
}
const cut = syntheticRecords(suite).map((r) => (r.kind === 'sample' && r.length === 1024 ? { ...r, truncatedTokens: 5 } : r));
const dataOf = (...data: RunRecord[]): DataSummary[] => summarizeData(selectRecords([...data, ...cut], suite), suite);
function checksOf(...records: RunRecord[]): string[][] {
  const input = { summary: { data: dataOf(...records) } } as unknown as CheckInput;
  return [enoughSamples(input), dataAsPublished(input)].map(({ status, message }) => [status, message]);
}

test('a condition has its data, with what was used and cut; the newest record counts, and only for conditions of the suite', () => {
  expect(dataOf(record({ usable: 3 }), record({}), record({ length: 777 }))).toEqual([
    {
      part: 'retrieval',
      task: 'lines',
      length: 1024,
      reader: 'longeval',
      source: 'https://github.com/DachengLi1/LongChat',
      revision: '4b5f',
      licence: 'Apache-2.0',
      files: [file],
      asked: 6,
      usable: 50,
      used: 6,
      truncated: 6,
    },
  ]);
});

test('the report has a row a condition, with source, files and their hashes', () => {
  const data = dataOf(record({}), record({ length: 2048, reader: 'generated', files: [], usable: null }));
  const source = 'https://github.com/DachengLi1/LongChat';
  const files = `200_lines.jsonl (${sha}, as published)`;
  expect(dataRows(data)).toEqual([
    ['lines', '1,024', source, '4b5f', 'Apache-2.0', files, '6', '50', '6', '6'],
    ['lines', '2,048', `generated from ${source}`, '4b5f', 'Apache-2.0', '', '6', '', '6', '0'],
  ]);
  expect(dataSection({ data } as unknown as Summary)?.text).toContain(`<td>${files}</td>`);
});

test('too few samples, and files that are not the published ones, are checks', () => {
  expect(checksOf()).toEqual([
    ['untested', 'No record says how many samples there were.'],
    ['untested', 'No file was read of which the published hash is known.'],
  ]);
  expect(checksOf(record({}))).toEqual([
    ['passed', 'There were as many samples as were asked for.'],
    ['passed', 'Files of published names have the published content.'],
  ]);
  expect(checksOf(record({ usable: 3, files: [{ ...file, published: false }] }))).toEqual([
    ['failed', 'There were fewer samples than asked for: lines at 1,024 tokens has 3 of 6.'],
    ['failed', 'Not the published files of these names: 200_lines.jsonl.'],
  ]);
});
