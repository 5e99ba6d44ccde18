import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { lastLevelCacheMiB } from '../../src/measure/last-level-cache.ts';

const root = mkdtempSync(join(tmpdir(), 'caches-'));
afterEach(() => rmSync(root, { recursive: true, force: true }));

function cache(cpu: number, index: number, files: Readonly<Record<string, string>>): void {
  const folder = join(root, `cpu${cpu}`, 'cache', `index${index}`);
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), `${text}\n`);
}

test('the caches of the last level are added up, each once however many cores share it', () => {
  for (const cpu of [0, 1, 2, 3]) {
    cache(cpu, 0, { level: '1', type: 'Data', size: '32K', shared_cpu_list: String(cpu) });
    cache(cpu, 3, { level: '3', type: 'Unified', size: '98304K', shared_cpu_list: cpu < 2 ? '0-1' : '2-3' });
  }
  expect(lastLevelCacheMiB(root)).toBe(192);
});

test('a cache without a size is passed over, and a machine that says nothing gets a gibibyte', () => {
  cache(0, 2, { level: '2', type: 'Unified', size: '1M', shared_cpu_list: '0' });
  cache(0, 3, { level: '3', type: 'Unified' });
  expect(lastLevelCacheMiB(root)).toBe(1);
  expect(lastLevelCacheMiB(join(root, 'nowhere'))).toBe(1024);
});
