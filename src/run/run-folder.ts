import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { MoaError } from '../core/errors.ts';

export interface FolderChoice {
  readonly suiteName: string;
  readonly out?: string;
  readonly resume: boolean;
}

/**
 * The folder of a run: `out`; else the newest of the suite with records, with `resume`; else a new one named by suite and time. Makes nothing.
 * @throws INVALID_ARGUMENT when `out` holds a run and `resume` was not asked for; NOT_FOUND when there is nothing to resume.
 */
export function runFolder({ suiteName, out, resume }: FolderChoice): string {
  if (out !== undefined) {
    if (!resume && holdsRun(out)) throw alreadyHoldsRun(out);
    return out;
  }
  if (!resume) return join('runs', `${suiteName}-${timeStamp(new Date())}`);
  const newest = newestRun(suiteName);
  if (newest === undefined) {
    throw new MoaError(`Expected an earlier run of ${suiteName} under runs/ for --resume but there is none`, {
      code: 'NOT_FOUND',
      hint: 'Start it without --resume, or name its folder with --out.',
    });
  }
  return newest;
}

/** The log of a run folder. */
export function recordsPath(folder: string): string {
  return join(folder, 'records.jsonl');
}

/** The refusal to mix a new run with the records of another. */
export function alreadyHoldsRun(folder: string): MoaError {
  return new MoaError(`Expected a new folder for --out but ${folder} holds a run already`, {
    code: 'INVALID_ARGUMENT',
    hint: 'Add --resume to go on with it, or name another folder.',
  });
}

/** Whether anything was recorded there; a start that failed leaves nothing worth going on with. */
function holdsRun(folder: string): boolean {
  const path = recordsPath(folder);
  return existsSync(path) && statSync(path).size > 0;
}

function newestRun(suiteName: string): string | undefined {
  if (!existsSync('runs')) return undefined;
  const own = (entry: string): boolean => entry.startsWith(`${suiteName}-`) && /^\d{8}-\d{6}$/.test(entry.slice(suiteName.length + 1));
  const folders = readdirSync('runs').filter(own).sort();
  return folders.map((entry) => join('runs', entry)).findLast(holdsRun);
}

/** 20261123-231500, UTC. */
function timeStamp(date: Date): string {
  return date.toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-');
}
