import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { recordsPath } from '../../src/run/run-folder.ts';
import { writeRunReport } from '../../src/run/write-report.ts';

test('a folder whose run never began is said to hold none, whatever else it lacks', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'moabench-report-'));
  writeFileSync(recordsPath(folder), '');
  await expect(writeRunReport(folder)).rejects.toMatchObject({ code: 'INVALID_FILE', message: expect.stringContaining('a run record') });
  rmSync(folder, { recursive: true });
});
