import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { MoaError } from '../core/errors.ts';
import { readJsonAs } from '../core/json-file.ts';
import { loadPlan } from '../plan/file.ts';
import { headlineText } from '../report/headline-text.ts';
import { writeReport } from '../report/write.ts';
import { environmentSchema } from '../results/environment.ts';
import { recordsOf, WITHOUT_PLAN } from '../results/record.ts';
import { readRecords } from '../results/store.ts';
import type { Summary } from '../results/summary.ts';
import { expandCells } from '../suite/cells.ts';
import { suiteSchema } from '../suite/schema.ts';
import { cellHash } from './cell-hash.ts';
import { planPath } from './make-plans.ts';
import { recordsPath } from './run-folder.ts';

export interface WrittenReport {
  readonly summary: Summary;
  /** The headline table and the verdicts, for a terminal. */
  readonly text: string;
}

const HINT = 'The run folder was made by another version or damaged; run the suite again.';

/**
 * Writes summary, tables, charts and pages of a run folder from its records. Needs neither the model nor the backend.
 * @throws NOT_FOUND when the folder holds no run; INVALID_FILE or IO naming the file.
 */
export async function writeRunReport(folder: string): Promise<WrittenReport> {
  const { records } = readRecords(recordsPath(folder));
  const run = recordsOf(records, 'run').at(-1);
  if (run === undefined) throw new MoaError(`Expected a run record in ${recordsPath(folder)} but there is none`, { code: 'INVALID_FILE' });
  const suite = readJsonAs(suiteSchema, join(folder, 'suite.json'), { what: 'the suite of this run', hint: HINT });
  const environmentPath = join(folder, 'environment.json');
  const environment = existsSync(environmentPath)
    ? readJsonAs(environmentSchema, environmentPath, { what: 'an environment', hint: HINT })
    : null;
  const identity = { weightsHash: run.model.weightsHash, device: run.backend.description };
  const outcomes = recordsOf(records, 'outcome');
  const hashes = expandCells(suite).flatMap((cell) => {
    if (cell.kind === 'plan')
      return outcomes
        .filter((r) => r.cellId === cell.id)
        .slice(-1)
        .map((r) => r.cell);
    const path = planPath(folder, cell.method);
    return existsSync(path) ? [cellHash(cell, suite, identity, loadPlan(path))] : [WITHOUT_PLAN];
  });
  const summary = await writeReport(folder, { records, suite, environment, cells: new Set(hashes) });
  return { summary, text: headlineText(summary) };
}
