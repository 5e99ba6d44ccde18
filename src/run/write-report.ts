import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { MoaError } from '../core/errors.ts';
import { parseOrThrow, readJson, readJsonAs } from '../core/json-file.ts';
import { loadPlan, planHash } from '../plan/file.ts';
import { environmentSchema } from '../records/environment.ts';
import { readRecords } from '../records/read-records.ts';
import { type RecordOf, recordsOf } from '../records/record.ts';
import { headlineText } from '../report/headline-text.ts';
import { writeReport } from '../report/write.ts';
import { withTodaysNames } from '../suite/older-names.ts';
import { type Suite, suiteSchema } from '../suite/schema.ts';
import { selectRecords } from '../summary/selection.ts';
import type { Summary } from '../summary/summary.ts';
import { planPath } from './make-plans.ts';
import { type ModelShape, planProblem } from './plan-record.ts';
import { checkRunFolder, recordsPath } from './run-folder.ts';

/** What a report says, for programs and for a terminal. */
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
  checkRunFolder(folder);
  const { records } = readRecords(recordsPath(folder));
  const run = recordsOf(records, 'run').at(-1);
  if (run === undefined) throw new MoaError(`Expected a run record in ${recordsPath(folder)} but there is none`, { code: 'INVALID_FILE' });
  const suite = storedSuite(join(folder, 'suite.json'));
  const environmentPath = join(folder, 'environment.json');
  const environment = existsSync(environmentPath)
    ? readJsonAs(environmentSchema, environmentPath, { what: 'an environment', hint: HINT })
    : null;
  for (const record of selectRecords(records, suite).plans) checkPlan(folder, record, run.model);
  const summary = await writeReport(folder, { records, suite, environment });
  return { summary, text: headlineText(summary) };
}

/** The suite that the folder keeps, by whichever version it was written. */
function storedSuite(path: string): Suite {
  return parseOrThrow(suiteSchema, withTodaysNames(readJson(path, HINT)), { what: 'the suite of this run', path, hint: HINT });
}

/** What is reported is the recorded plan: its hash, its shape and its file must say the same. */
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
