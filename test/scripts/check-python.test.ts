import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

const PINNED = readFileSync('scripts/ruff.txt', 'utf8').trim().split('==')[1] ?? '';

/** Runs the check with a ruff of that version and that verdict on the PATH; with none where the version is null. */
function check(version: string | null, { ci = false, verdict = 0 } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'ruff-'));
  if (version !== null) {
    writeFileSync(join(folder, 'ruff'), `#!/bin/sh\nif [ "$1" = --version ]; then echo "ruff ${version}"; exit; fi\nexit ${verdict}\n`);
    chmodSync(join(folder, 'ruff'), 0o755);
  }
  const env = { PATH: folder, ...(ci && { CI: 'true' }) };
  const { status, stdout } = spawnSync(process.execPath, ['scripts/check-python.mjs'], { encoding: 'utf8', env });
  return { status, stdout };
}

describe('the check of Python sources', () => {
  test('has the verdict of the pinned ruff', () => {
    expect(check(PINNED)).toEqual({ status: 0, stdout: '' });
    expect(check(PINNED, { verdict: 1 })).toEqual({ status: 1, stdout: '' });
  });

  test.each([
    [null, /^ruff is not installed: the Python sources were not checked/],
    ['0.0.1', /^ruff has version 0\.0\.1, not /],
  ])('says that nothing was checked with ruff %s, which only CI refuses', (version, message) => {
    expect(check(version)).toEqual({ status: 0, stdout: expect.stringMatching(message) });
    expect(check(version, { ci: true })).toEqual({ status: 1, stdout: expect.stringMatching(message) });
  });
});
