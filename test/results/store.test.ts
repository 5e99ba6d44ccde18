import fs, { appendFileSync, existsSync, mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { MoaError } from '../../src/core/errors.ts';
import type { RunRecord } from '../../src/results/record.ts';
import { RecordStore, readRecords } from '../../src/results/store.ts';
import { errorOf } from '../error-of.ts';

const time = '2025-03-01T12:00:00.000Z';
const done = (cell: string, status: 'completed' | 'failed' = 'completed'): RunRecord => {
  const common = { kind: 'outcome', time, cell, method: 'dense', cellId: `plan/${cell}` } as const;
  return status === 'completed'
    ? { ...common, status, wallMs: 1 }
    : { ...common, status, error: { code: 'IO', message: 'gone', hint: null, sampleId: null } };
};
const loss = (cell: string, sampleId: string): RunRecord => ({
  kind: 'loss',
  time,
  cell,
  method: 'dense',
  sampleId,
  task: 'code',
  cluster: 'c',
  length: 1024,
  promptTokens: 1000,
  answerTokens: 10,
  sumLoss: 1.5,
  kvBytes: { planned: 8, resident: 8 },
});

let path: string;
beforeEach(() => {
  path = join(mkdtempSync(join(tmpdir(), 'store-')), 'run', 'records.jsonl');
});

describe('RecordStore', () => {
  it('appends lines and finds them again by cell', () => {
    const store = RecordStore.open(path);
    store.append(loss('aaaaaaaa', 's1'));
    store.append(done('aaaaaaaa', 'failed'));
    store.append(done('aaaaaaaa'));
    store.append(loss('bbbbbbbb', 's1'));
    store.close();
    expect(readFileSync(path, 'utf8').split('\n')).toHaveLength(5);
    const again = RecordStore.open(path);
    expect(again.records).toEqual([loss('aaaaaaaa', 's1'), done('aaaaaaaa', 'failed'), done('aaaaaaaa'), loss('bbbbbbbb', 's1')]);
    expect(again.ofCell('aaaaaaaa')).toHaveLength(3);
    expect(again.outcomeOf('aaaaaaaa')).toEqual(done('aaaaaaaa'));
    expect(again.outcomeOf('bbbbbbbb')).toBeUndefined();
    expect(again.torn).toBeNull();
    again.close();
    again.close();
    expect(existsSync(`${path}.lock`)).toBe(false);
  });

  it('cuts off a torn last line wherever a kill cut it, and loses nothing else', () => {
    const store = RecordStore.open(path);
    store.append(loss('aaaaaaaa', 's1'));
    store.append(loss('aaaaaaaa', 's2'));
    store.close();
    const whole = readFileSync(path);
    const first = whole.indexOf(10) + 1;
    for (let size = 0; size <= whole.length; size += 7) {
      writeFileSync(path, whole.subarray(0, size));
      const complete = size < first ? 0 : size < whole.length ? 1 : 2;
      const end = [0, first, whole.length][complete] ?? 0;
      expect(readRecords(path).torn).toEqual(size === end ? null : { line: complete + 1, bytes: size - end });
      const reopened = RecordStore.open(path);
      expect(reopened.records).toHaveLength(complete);
      reopened.append(done('cccccccc'));
      reopened.close();
      expect(readRecords(path).records).toHaveLength(complete + 1);
    }
  });

  it.each([
    ['not json\n', 'Expected JSON in RECORDS:2 but received other text at line 1, column 2'],
    ['{"kind":"lost"}\n', 'Expected a record in RECORDS:2 but received text of 4 characters for kind: Invalid'],
    [`${JSON.stringify({ ...done('aaaaaaaa'), wallMs: -1 })}\n`, 'Expected a record in RECORDS:2 but received -1 for wallMs: '],
    [`${JSON.stringify({ ...done('aaaaaaaa'), extra: 1 })}\n`, ': one key is unknown here'],
    ['\n', 'Expected JSON in RECORDS:2 but received no text'],
  ])('refuses a malformed line in the middle: %j', (line, message) => {
    const store = RecordStore.open(path);
    store.append(done('aaaaaaaa'));
    store.close();
    appendFileSync(path, `${line}${JSON.stringify(done('bbbbbbbb'))}\n`);
    const error = errorOf(() => RecordStore.open(path));
    expect(error.code).toBe('INVALID_FILE');
    expect(error.message).toContain(message.replace('RECORDS', path));
    expect(existsSync(`${path}.lock`)).toBe(false);
  });

  it('gives records or a typed error for any bytes', () => {
    const store = RecordStore.open(path);
    store.append(loss('aaaaaaaa', 's1'));
    store.close();
    const good = readFileSync(path);
    fc.assert(
      fc.property(fc.nat(good.length), fc.uint8Array({ maxLength: 8 }), (at, bytes) => {
        writeFileSync(path, Buffer.concat([good.subarray(0, at), bytes, good.subarray(at)]));
        try {
          readRecords(path);
        } catch (error) {
          expect(error).toBeInstanceOf(MoaError);
          expect((error as MoaError).message).toMatch(/records\.jsonl:\d+ /);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('refuses to write a malformed record and leaves the file as it was', () => {
    const store = RecordStore.open(path);
    store.append(done('aaaaaaaa'));
    const size = statSync(path).size;
    expect(errorOf(() => store.append({ ...loss('aaaaaaaa', 's1'), cell: 'NOT HEX' } as RunRecord)).code).toBe('INVALID_ARGUMENT');
    expect(statSync(path).size).toBe(size);
    store.close();
  });

  it('says that the disk is full and keeps what was written', () => {
    const store = RecordStore.open(path);
    store.append(done('aaaaaaaa'));
    const { writeSync } = fs;
    const full = fs.openSync('/dev/full', 'w');
    // As the kernel does it: a part of the line gets through, then there is no space. The error comes from Linux's always-full device.
    let calls = 0;
    fs.writeSync = ((descriptor: number, data: Uint8Array) =>
      calls++ === 0 ? writeSync(descriptor, data, 0, 20) : writeSync(full, data)) as typeof writeSync;
    syncBuiltinESMExports();
    const error = errorOf(() => store.append(done('bbbbbbbb')));
    fs.writeSync = writeSync;
    syncBuiltinESMExports();
    fs.closeSync(full);
    expect(error.message).toBe(`Could not write ${path}: the disk is full`);
    expect(error.hint).toContain('--resume');
    expect(readRecords(path)).toMatchObject({ records: [done('aaaaaaaa')], torn: null });
    store.append(done('cccccccc'));
    store.close();
    expect(readRecords(path).records).toEqual([done('aaaaaaaa'), done('cccccccc')]);
  });
});

describe('writer lock', () => {
  it('admits one writer', () => {
    const store = RecordStore.open(path);
    const error = errorOf(() => RecordStore.open(path));
    expect(error.message).toBe(`Expected to be the only writer of this run but process ${process.pid} holds ${path}.lock`);
    expect(error.code).toBe('IO');
    store.close();
    RecordStore.open(path).close();
  });

  it.each([
    ['a dead process', { pid: 2 ** 22 + 1, started: '1', host: hostname(), token: 't' }],
    ['a process id that was given away again', { pid: process.pid, started: '1', host: hostname(), token: 't' }],
    ['a half-written lock', null],
  ])('replaces the lock of %s', (_, holder) => {
    RecordStore.open(path).close();
    writeFileSync(`${path}.lock`, holder === null ? '{"pid":' : JSON.stringify(holder));
    const store = RecordStore.open(path);
    store.append(done('aaaaaaaa'));
    store.close();
    expect(existsSync(`${path}.lock`)).toBe(false);
  });

  it('respects the lock of another machine', () => {
    RecordStore.open(path).close();
    writeFileSync(`${path}.lock`, JSON.stringify({ pid: 1, started: null, host: 'elsewhere', token: 't' }));
    expect(errorOf(() => RecordStore.open(path)).message).toContain('process 1 on elsewhere holds');
  });
});
