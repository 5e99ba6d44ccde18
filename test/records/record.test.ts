import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readRecords } from '../../src/records/read-records.ts';
import { type RunRecord, recordSchema, recordsOf } from '../../src/records/record.ts';
import { readRun } from '../../src/run/read-run.ts';
import type { Suite } from '../../src/suite/schema.ts';

const REPORTS = join(import.meta.dirname, '../../reports');
const released = readdirSync(REPORTS, { recursive: true, encoding: 'utf8' }).filter((path) => /records\.jsonl(\.gz)?$/.test(path));

/** Runs of one suite that were released in two parts, by folder: what each has not. */
const LEFT_OUT: Readonly<Record<string, readonly RunRecord['kind'][]>> = {
  reference: ['measurement', 'capacity'],
  'reference-times': ['sample', 'loss'],
};

/** What a suite asks to be measured, by the kinds of records that hold it. */
function askedKinds({ quality, efficiency }: Suite): readonly RunRecord['kind'][] {
  return [
    ...(quality?.retrieval || quality?.longbench ? (['sample'] as const) : []),
    ...(quality?.perplexity ? (['loss'] as const) : []),
    ...(efficiency?.prefill || efficiency?.decode ? (['measurement'] as const) : []),
    ...(efficiency?.maxBatch ? (['capacity'] as const) : []),
  ];
}

describe('records', () => {
  it('of releases are there, and compressed', () => {
    expect(released.length).toBeGreaterThan(5);
    expect(released.filter((path) => !path.endsWith('.gz'))).toEqual([]);
  });

  it.each(released)('of the released run %s hold every kind of result that its suite asks for', (path) => {
    const folder = join(REPORTS, dirname(path));
    const { torn, damaged } = readRecords(join(REPORTS, path));
    expect([torn, damaged]).toEqual([null, []]);
    const { records, suite } = readRun(folder);
    const missing = askedKinds(suite).filter((kind) => recordsOf(records, kind).length === 0);
    expect(missing).toEqual(LEFT_OUT[path.split('/')[0] ?? ''] ?? []);
  });

  const measurement: RunRecord = {
    kind: 'measurement',
    time: '2025-03-01T12:00:00.000Z',
    cell: 'aaaaaaaa',
    method: 'dense',
    stretch: 'aa',
    measure: 'decode',
    cache: 'full',
    length: 512,
    batch: 2,
    newTokens: 4,
    process: 2,
    control: false,
    samplesMs: [1.5],
    kvBytes: { planned: 8, resident: 8 },
    peakBytes: 16,
    rssBytes: 32,
  };
  const deviceMemory = { freeBytes: 1, totalBytes: 2, poolReservedBytes: 3, poolUsedBytes: 4 };

  it.each([
    [{}, true],
    [{ timer: 'wall clock', deviceMemory: null }, true],
    [{ timer: 'cuda events', deviceMemory }, true],
    [{ timer: 'sundial' }, false],
    [{ deviceMemory: { ...deviceMemory, freeBytes: -1 } }, false],
    [{ deviceMemory: { freeBytes: 1 } }, false],
  ])('of a measurement with %j: %s', (fields, valid) => {
    expect(recordSchema.safeParse({ ...measurement, ...fields }).success).toBe(valid);
  });
});
