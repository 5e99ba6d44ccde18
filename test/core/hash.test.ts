import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { contentHash, sha256, sha256File } from '../../src/core/hash.ts';

test('equal content has equal hashes whatever the order of keys, and undefined members do not count', () => {
  expect(contentHash({ a: 1, b: [1, { c: 2, d: undefined }] })).toBe(contentHash({ b: [1, { c: 2 }], a: 1 }));
});

test('different content has different hashes', () => {
  const values = [{ a: 1 }, { a: '1' }, { a: [1] }, { a: null }, {}, { b: 1 }, [1], 1, '1', null];
  expect(new Set(values.map(contentHash)).size).toBe(values.length);
});

test('a file hashes as its bytes do', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'moabench-hash-'));
  const bytes = Buffer.alloc(300_000, 'moabench');
  writeFileSync(join(folder, 'f'), bytes);
  expect(await sha256File(join(folder, 'f'))).toBe(sha256(bytes));
  // The published SHA-256 test vector.
  expect(sha256('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  rmSync(folder, { recursive: true });
});
