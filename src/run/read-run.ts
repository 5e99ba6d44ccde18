import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { MoaError } from '../core/errors.ts';
import { parseOrThrow, readJson, readJsonAs } from '../core/json-file.ts';
import { type Environment, environmentSchema } from '../records/environment.ts';
import { readRecords } from '../records/read-records.ts';
import { type RecordOf, type RunRecord, recordsOf } from '../records/record.ts';
import { withTodaysNames } from '../suite/older-names.ts';
import { type Suite, suiteSchema } from '../suite/schema.ts';
import { checkRunFolder, recordedPath } from './run-folder.ts';

/** A run as it is stored in a run folder or in a release. */
export interface StoredRun {
  readonly records: readonly RunRecord[];
  /** The last run record. */
  readonly run: RecordOf<'run'>;
  readonly suite: Suite;
  readonly environment: Environment | null;
}

const HINT = 'The run folder was made by another version or damaged; run the suite again.';

/**
 * The records, suite and environment of a run folder, whichever version of moabench wrote them.
 * @throws NOT_FOUND when there is no run; INVALID_FILE or IO, naming the file.
 */
export function readRun(folder: string): StoredRun {
  checkRunFolder(folder);
  const path = recordedPath(folder);
  const { records } = readRecords(path);
  const run = recordsOf(records, 'run').at(-1);
  if (run === undefined) throw new MoaError(`Expected a run record in ${path} but there is none`, { code: 'INVALID_FILE' });
  return { records, run, suite: storedSuite(join(folder, 'suite.json')), environment: storedEnvironment(join(folder, 'environment.json')) };
}

function storedSuite(path: string): Suite {
  return parseOrThrow(suiteSchema, withTodaysNames(readJson(path, HINT)), { what: 'the suite of this run', path, hint: HINT });
}

function storedEnvironment(path: string): Environment | null {
  return existsSync(path) ? readJsonAs(environmentSchema, path, { what: 'an environment', hint: HINT }) : null;
}
