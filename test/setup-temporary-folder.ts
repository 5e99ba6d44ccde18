import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

// Whatever a test file and the processes that it starts make under tmpdir() lands in one folder, which goes when the file's tests are done.
const before = process.env.TMPDIR;
const folder = mkdtempSync(join(tmpdir(), 'moabench-test-'));
process.env.TMPDIR = folder;
afterAll(() => {
  if (before === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = before;
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});
