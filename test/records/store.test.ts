import { execFileSync } from 'node:child_process';
import fs, {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { hostname, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { MoaError } from '../../src/core/errors.ts';
import { sha256 } from '../../src/core/hash.ts';
import { readRecords } from '../../src/records/read-records.ts';
import type { RunRecord } from '../../src/records/record.ts';
import { RecordStore } from '../../src/records/store.ts';
import { RECORD_VERSION } from '../../src/records/version.ts';
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
  stretch: 'aa',
  sampleId,
  content: 'cccccccc',
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
      if (size > 0 && size < first) {
        expect(errorOf(() => RecordStore.open(path)).message).toContain(`${size} bytes without one whole record`);
        expect(readFileSync(path)).toEqual(whole.subarray(0, size)); // never cut where nothing was read
        continue;
      }
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
    'not json',
    '{"kind":"lost"}',
    JSON.stringify({ ...done('aaaaaaaa'), wallMs: -1 }),
    JSON.stringify({ ...done('aaaaaaaa'), extra: 1 }),
    '',
  ])('leaves out a damaged line in the middle, and tells which: %j', (line) => {
    const store = RecordStore.open(path);
    store.append(done('aaaaaaaa'));
    store.close();
    appendFileSync(path, `${line}\n${JSON.stringify(done('bbbbbbbb'))}\n`);
    const before = readFileSync(path);
    const again = RecordStore.open(path);
    expect(again.records).toEqual([done('aaaaaaaa'), done('bbbbbbbb')]);
    expect(again.damaged).toEqual([2]);
    again.close();
    expect(readFileSync(path)).toEqual(before);
  });

  it('refuses the records of a later version, whose every line would look damaged', () => {
    const store = RecordStore.open(path);
    store.append(done('aaaaaaaa'));
    store.close();
    appendFileSync(path, `${JSON.stringify({ kind: 'run', recordVersion: RECORD_VERSION + 1 })}\n`);
    expect(errorOf(() => readRecords(path)).message).toContain(
      `Expected records of version 1 to ${RECORD_VERSION} in ${path}:2 but received version`,
    );
  });

  it.each([
    ['a link', (target: string) => symlinkSync(target, path)],
    ['a link to nothing', () => symlinkSync(`${path}.nowhere`, path)],
    ['a FIFO', () => execFileSync('/usr/bin/mkfifo', [path])],
    ['a folder', () => mkdirSync(path)],
  ])('takes nothing but a regular file: %s is refused and what it points at is left alone', (_, plant) => {
    mkdirSync(dirname(path), { recursive: true });
    const target = join(dirname(path), 'precious');
    writeFileSync(target, 'one line without an end');
    plant(target);
    expect(['INVALID_FILE', 'IO']).toContain(errorOf(() => RecordStore.open(path)).code);
    expect(() => readRecords(path)).toThrow(MoaError);
    expect(readFileSync(target, 'utf8')).toBe('one line without an end');
    expect(existsSync(`${path}.nowhere`)).toBe(false);
    expect(existsSync(`${path}.lock`)).toBe(false);
  });

  it('never cuts a file from which no record was read', () => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, 'some text\nand a last line');
    expect(errorOf(() => RecordStore.open(path)).code).toBe('INVALID_FILE');
    expect(readFileSync(path, 'utf8')).toBe('some text\nand a last line');
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
          expect((error as MoaError).message).toMatch(/records\.jsonl/);
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

  it('takes over also where the process that took over died in between, and leaves no files behind', () => {
    RecordStore.open(path).close();
    const dead = (token: string): string => JSON.stringify({ pid: 2 ** 22 + 1, started: '1', host: hostname(), token });
    writeFileSync(`${path}.lock`, dead('../../t'));
    writeFileSync(`${path}.lock.${sha256('../../t').slice(0, 16)}.takeover`, dead('u'));
    RecordStore.open(path).close();
    expect(readdirSync(dirname(path))).toEqual(['records.jsonl']);
  });

  it('respects the lock of another machine', () => {
    RecordStore.open(path).close();
    writeFileSync(`${path}.lock`, JSON.stringify({ pid: 1, started: null, host: 'elsewhere', token: 't' }));
    expect(errorOf(() => RecordStore.open(path)).message).toContain('process 1 on elsewhere holds');
  });
});
