import { mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ioError, makeFolder, writeFileAtomic } from '../../src/core/files.ts';

const folder = mkdtempSync(join(tmpdir(), 'moabench-files-'));

test('writes the whole file, makes its folder, replaces an old one, and leaves nothing else behind', () => {
  const path = join(folder, 'a', 'b.json');
  writeFileAtomic(path, 'old');
  writeFileAtomic(path, 'new');
  expect(readFileSync(path, 'utf8')).toBe('new');
  expect(readdirSync(join(folder, 'a'))).toEqual(['b.json']);
});

test('a target that cannot be replaced is an IO error that names it, and the temporary file is gone', () => {
  const path = join(folder, 'taken');
  mkdirSync(path);
  writeFileSync(join(path, 'inside'), '');
  expect(() => writeFileAtomic(path, 'x')).toThrow(expect.objectContaining({ code: 'IO', message: expect.stringContaining(path) }));
  expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
});

test('a folder that cannot be used is an IO error that names the target, not the temporary file', () => {
  writeFileSync(join(folder, 'file'), '');
  const path = join(folder, 'file', 'in', 'plan.svg');
  expect(() => writeFileAtomic(path, 'x')).toThrow(
    expect.objectContaining({ code: 'IO', message: `Could not write ${path}: a part of its path is not a folder` }),
  );
});

test('a folder that the kernel lets nobody make is an error, not a wait without end', () => {
  expect(() => makeFolder('/proc/moabench/run')).toThrow(
    expect.objectContaining({ code: 'IO', message: expect.stringMatching(/^Could not create \/proc\/moabench\/run: /) }),
  );
  expect(() => writeFileAtomic('/proc/moabench/a.json', 'x')).toThrow(expect.objectContaining({ code: 'IO' }));
});

test('makeFolder makes what is missing, and takes a link to a folder for one', () => {
  const path = join(folder, 'deep', 'er', 'still');
  makeFolder(path);
  makeFolder(path);
  symlinkSync(path, join(folder, 'linked'));
  makeFolder(join(folder, 'linked', 'new'));
  expect(readdirSync(path)).toEqual(['new']);
});

test('a full disk is one sentence with a way on', () => {
  const error = ioError('runs/a/records.jsonl', 'write', Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' }));
  expect(error).toMatchObject({ code: 'IO', message: 'Could not write runs/a/records.jsonl: the disk is full' });
  expect(error.hint).toContain('--resume');
});

test.each([
  ['ENOENT', 'NOT_FOUND', 'it does not exist'],
  ['ENOTDIR', 'NOT_FOUND', 'a part of its path is not a folder'],
  ['EISDIR', 'INVALID_ARGUMENT', 'it is a folder'],
  ['EACCES', 'IO', 'permission was denied'],
])('reading what gives %s is %s, and the message says that %s', (code, expected, reason) => {
  const error = ioError('a/b', 'read', Object.assign(new Error(code), { code }));
  expect(error).toMatchObject({ code: expected, message: `Could not read a/b: ${reason}` });
});
