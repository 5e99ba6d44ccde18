import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readRecords } from '../../src/records/read-records.ts';
import { type RunRecord, recordSchema, recordsOf } from '../../src/records/record.ts';

const REPORTS = join(import.meta.dirname, '../../reports');
const released = readdirSync(REPORTS, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('records.jsonl'));

describe('records', () => {
  it.each(released)('of the released run %s are read', (path) => {
    const { records, torn } = readRecords(join(REPORTS, path));
    expect(torn).toBeNull();
    expect(recordsOf(records, 'measurement').length + recordsOf(records, 'sample').length).toBeGreaterThan(0);
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
