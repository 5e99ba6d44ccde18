import { rmSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import { released, rootWith } from './doc-scripts.ts';

const roots: string[] = [];
function reports(files: Readonly<Record<string, unknown>>): string {
  const root = rootWith(files);
  roots.push(root);
  return root;
}
afterEach(() => {
  for (const root of roots.splice(0)) rmSync(root, { recursive: true });
});

describe('newest', () => {
  test('takes the last day that has the file', () => {
    const root = reports({
      'bench/2026-11-24/a.json': 1,
      'bench/2026-11-28/b.json': 1,
    });
    expect(released.newest(root, 'bench').shown).toBe('reports/bench/2026-11-28');
    expect(released.newest(root, 'bench', 'a.json').shown).toBe('reports/bench/2026-11-24');
  });

  test('names the folder and the file that are not there', () => {
    expect(() => released.newest(reports({}), 'quick', 'summary.json')).toThrow(/a release with summary\.json in reports\/quick/);
  });
});

describe('readRecord', () => {
  test('names a record that is no JSON', () => {
    const root = reports({ 'bench/2026-11-24/a.json': '{' });
    expect(() => released.readRecord(released.newest(root, 'bench'), 'a.json')).toThrow(/JSON in reports\/bench\/2026-11-24\/a\.json/);
  });
});

describe('a compressed record', () => {
  test('is found and read by the name that it has unpacked', () => {
    const root = reports({ 'cuda/2026-11-24-h100/a.json.gz': gzipSync('{"rows":[1]}') });
    expect(released.newest(root, 'cuda', 'a.json').shown).toBe('reports/cuda/2026-11-24-h100');
    expect(released.cudaReleases(root, 'a.json')).toHaveLength(1);
    expect(released.readRecord(released.newest(root, 'cuda'), 'a.json')).toEqual({ rows: [1] });
  });

  test('that was cut off is named', () => {
    const root = reports({ 'cuda/2026-11-24-h100/a.json.gz': gzipSync('{"rows":[1]}').subarray(0, 12) });
    expect(() => released.readRecord(released.newest(root, 'cuda'), 'a.json')).toThrow(/2026-11-24-h100\/a\.json but it cannot be read/);
  });
});

describe('cudaReleases', () => {
  test('gives the newest folder of each GPU that has the file, H200 first', () => {
    const root = reports({
      'cuda/2026-11-24-h100/kernels.json': 1,
      'cuda/2026-11-24-h200/kernels.json': 1,
      'cuda/2026-11-28-h100/kernels.json': 1,
      'cuda/2026-11-28-h200/verify.json': 1,
      'cuda/notes/kernels.json': 1,
    });
    expect(released.cudaReleases(root, 'kernels.json').map(({ gpu, shown }) => [gpu, shown])).toEqual([
      ['H200', 'reports/cuda/2026-11-24-h200'],
      ['H100', 'reports/cuda/2026-11-28-h100'],
    ]);
  });

  test('names the file that no GPU has', () => {
    expect(() => released.cudaReleases(reports({}), 'parity.json')).toThrow(/a release with parity\.json in reports\/cuda/);
  });
});
