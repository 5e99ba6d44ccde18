import { existsSync, lstatSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { hostname, userInfo } from 'node:os';
import { join, resolve } from 'node:path';
import { MoaError } from '../core/errors.ts';
import { contentHash } from '../core/hash.ts';
import { readRecords } from '../records/read-records.ts';
import { type RunRecord, recordsOf } from '../records/record.ts';

export interface FolderChoice {
  readonly suiteName: string;
  readonly out?: string;
  readonly resume: boolean;
}

/** The folders and files that a run writes at the top of its folder. */
const FOLDERS = ['plans', 'profile', 'charts', 'csv'] as const;
const FILES = [
  'records.jsonl',
  'records.jsonl.gz',
  'records.jsonl.lock',
  'environment.json',
  'suite.json',
  'summary.json',
  'report.md',
  'report.html',
] as const;

/**
 * The folder of a run. This is `out` when it is given. Otherwise, with `resume`, it is the suite's newest run that was made here and has records. Otherwise
 * it is a new folder named after suite and time. Nothing is created.
 * @throws INVALID_ARGUMENT when `out` holds a run and `resume` was not asked for; NOT_FOUND when there is nothing to resume.
 */
export function runFolder({ suiteName, out, resume }: FolderChoice): string {
  if (out !== undefined) {
    if (!resume && holdsRun(out)) throw alreadyHoldsRun(out);
    if (isReleased(out)) throw released(out);
    return out;
  }
  if (!resume) return join('runs', `${suiteName}-${timeStamp(new Date())}`);
  const newest = newestRun(suiteName);
  if (newest === undefined) {
    throw new MoaError(`Expected an earlier run of ${suiteName} under runs/ for --resume but there is none that was made here`, {
      code: 'NOT_FOUND',
      hint: 'Start it without --resume, or name its folder with --out. A folder that was copied or moved, or is a link, must be named.',
    });
  }
  return newest;
}

/** The log of a run folder. */
export function recordsPath(folder: string): string {
  return join(folder, 'records.jsonl');
}

/** Path of the records of a folder that is only read: the log, or the compressed records of a release. */
export function recordedPath(folder: string): string {
  return isReleased(folder) ? releasedPath(folder) : recordsPath(folder);
}

function releasedPath(folder: string): string {
  return `${recordsPath(folder)}.gz`;
}

/** Whether the folder has compressed records, and no log. */
function isReleased(folder: string): boolean {
  return existsSync(releasedPath(folder)) && !existsSync(recordsPath(folder));
}

/** The refusal to begin another log beside compressed records. */
function released(folder: string): MoaError {
  return new MoaError(`Expected records.jsonl in ${folder} but received compressed records`, {
    code: 'INVALID_ARGUMENT',
    hint: `A release can be read, but a run cannot go on in it. To go on, copy the folder and unpack the records there: gunzip ${releasedPath(folder)}`,
  });
}

/** The refusal to mix a new run with the records of another. */
export function alreadyHoldsRun(folder: string): MoaError {
  return new MoaError(`Expected a new folder for --out but ${folder} holds a run already`, {
    code: 'INVALID_ARGUMENT',
    hint: 'Add --resume to go on with it, or name another folder.',
  });
}

/** Refuses to continue in the folder of another suite's run: the report would leave out its results, and its suite.json would be replaced. */
export function refuseOtherSuite(folder: string, records: readonly RunRecord[], suiteName: string): void {
  const other = recordsOf(records, 'run').at(-1)?.suite.name;
  if (other === undefined || other === suiteName) return;
  throw new MoaError(`Expected a run of suite ${suiteName} in ${folder} but received one of ${other}`, {
    code: 'INVALID_ARGUMENT',
    hint: 'Name another folder with --out. To go on in this one with what both suites share, add --other-suite.',
  });
}

/**
 * Refuses a folder in which a path that a run reads or writes is a link, a device, or anything else but the expected file or folder. A folder that somebody
 * else made may point anywhere.
 * @throws INVALID_FILE naming the path.
 */
export function checkRunFolder(folder: string): void {
  for (const name of FILES) refuseUnless('file', join(folder, name));
  for (const name of FOLDERS) {
    const path = join(folder, name);
    refuseUnless('folder', path);
    if (!existsSync(path)) continue;
    for (const entry of readdirSync(path)) refuseUnless('file', join(path, entry));
  }
}

function refuseUnless(kind: 'file' | 'folder', path: string): void {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined || (kind === 'file' ? stat.isFile() : stat.isDirectory())) return;
  const received = stat.isSymbolicLink() ? 'a link' : 'something else';
  throw new MoaError(`Expected a ${kind === 'file' ? 'regular file' : 'folder'} for ${path} but received ${received}`, {
    code: 'INVALID_FILE',
    hint: 'A run folder has no links. Remove it, or name another folder with --out.',
  });
}

/**
 * Where a run was made: a hash of machine, user and folder. The hash does not reveal these, and nobody else can make the same one. So a folder that comes
 * with a repository or an archive is never taken for a run that was made here.
 */
export function originOf(folder: string): string {
  const path = existsSync(folder) ? realpathSync(folder) : resolve(folder);
  return contentHash({ use: 'moabench run folder', machine: machineId(), user: userInfo().uid, path });
}

function machineId(): string {
  try {
    return readFileSync('/etc/machine-id', 'utf8').trim() || hostname();
  } catch {
    return hostname();
  }
}

/** Whether the folder holds records. A run that failed at its start leaves none, and its folder counts as new. */
function holdsRun(folder: string): boolean {
  if (!existsSync(folder)) return false;
  if (isReleased(folder)) return true;
  const stat = lstatSync(recordsPath(folder), { throwIfNoEntry: false });
  return stat !== undefined && (!stat.isFile() || stat.size > 0);
}

function newestRun(suiteName: string): string | undefined {
  if (!existsSync('runs')) return undefined;
  const own = (name: string): boolean => name.startsWith(`${suiteName}-`) && /^\d{8}-\d{6}$/.test(name.slice(suiteName.length + 1));
  const folders = readdirSync('runs', { withFileTypes: true }).filter((entry) => entry.isDirectory() && own(entry.name));
  return folders
    .map((entry) => join('runs', entry.name))
    .sort()
    .findLast(madeHere);
}

function madeHere(folder: string): boolean {
  if (!holdsRun(folder)) return false;
  try {
    return recordsOf(readRecords(recordsPath(folder)).records, 'run').at(-1)?.origin === originOf(folder);
  } catch {
    return false; // the file cannot be read or is not a regular file
  }
}

/** The time in UTC as in 20261123-231500. */
function timeStamp(date: Date): string {
  return date.toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-');
}
