import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { MoaError } from '../core/errors.ts';
import { loadPlan, planHash } from '../plan/file.ts';
import type { RecordOf } from '../records/record.ts';
import { headlineText } from '../report/headline-text.ts';
import { writeReport } from '../report/write.ts';
import { selectRecords } from '../summary/selection.ts';
import type { Summary } from '../summary/summary.ts';
import { planPath } from './make-plans.ts';
import { type ModelShape, planProblem } from './plan-record.ts';
import { readRun } from './read-run.ts';
import { recordedPath } from './run-folder.ts';

/** What a report says, for programs and for a terminal. */
export interface WrittenReport {
  readonly summary: Summary;
  /** The headline table and the verdicts, for a terminal. */
  readonly text: string;
}

/**
 * Writes summary, tables, charts and pages of a run folder from its records, and returns the summary. Needs neither the model nor the backend.
 * @throws NOT_FOUND when the folder holds no run; INVALID_FILE or IO naming the file.
 */
export async function writeRunReport(folder: string): Promise<WrittenReport> {
  const { records, run, suite, environment } = readRun(folder);
  for (const record of selectRecords(records, suite).plans) checkPlan(folder, record, run.model);
  const summary = await writeReport(folder, { records, suite, environment, recordsFile: basename(recordedPath(folder)) });
  return { summary, text: headlineText(summary) };
}

/** Checks the recorded plan before it is reported: its hash, its shape and its file must agree. */
function checkPlan(folder: string, record: RecordOf<'plan'>, shape: ModelShape): void {
  const problem = planProblem(record, shape);
  if (problem !== null) throw problem;
  const path = planPath(folder, record.method);
  if (!existsSync(path)) return;
  const hash = planHash(loadPlan(path));
  if (hash === record.planHash) return;
  throw new MoaError(`Expected the plan of ${record.method} with hash ${record.planHash} in ${path} but received one with ${hash}`, {
    code: 'INVALID_FILE',
    hint: 'The file was edited after the plan was measured. Run the suite again with --resume: the recorded plan is written again.',
  });
}
