import { randomUUID } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { z } from 'zod';
import { MoaError } from '../core/errors.ts';
import { ioError } from '../core/files.ts';

const holderSchema = z.strictObject({ pid: z.int().min(1), started: z.string().nullable(), host: z.string(), token: z.string() });
type Holder = z.infer<typeof holderSchema>;

export interface WriterLock {
  /** Removes the lock file if it is still ours. Idempotent. */
  release(): void;
}

/**
 * Takes a lock file for this process. A lock whose process is gone (or whose id was given to a later process) is stale and replaced.
 * @throws MoaError IO when a living process holds it, or one on another machine whose life cannot be seen from here.
 */
export function acquireLock(path: string): WriterLock {
  const own: Holder = { pid: process.pid, started: startTime(process.pid), host: hostname(), token: randomUUID() };
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      writeFileSync(path, JSON.stringify(own), { flag: 'wx' });
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw ioError(path, 'create', cause);
      removeIfStale(path);
      continue;
    }
    if (readHolder(path)?.token === own.token) return { release: () => releaseOwn(path, own.token) };
  }
  throw held(path, readHolder(path));
}

function removeIfStale(path: string): void {
  const holder = readHolder(path);
  // An unreadable lock was cut off while it was written, by a process that died then.
  if (holder !== null && isAlive(holder)) throw held(path, holder);
  rmSync(path, { force: true });
}

function isAlive({ pid, started, host }: Holder): boolean {
  if (host !== hostname()) return true;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  const now = startTime(pid);
  return started === null || now === null || started === now;
}

function held(path: string, holder: Holder | null): MoaError {
  const who = holder === null ? 'another process' : `process ${holder.pid}${holder.host === hostname() ? '' : ` on ${holder.host}`}`;
  return new MoaError(`Expected to be the only writer of this run but ${who} holds ${path}`, {
    code: 'IO',
    hint: 'Wait for it to end or choose another folder with --out. Delete the lock file only if that process is gone.',
  });
}

function releaseOwn(path: string, token: string): void {
  if (readHolder(path)?.token === token) rmSync(path, { force: true });
}

function readHolder(path: string): Holder | null {
  try {
    return holderSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return null;
  }
}

/** Start of a process in clock ticks since boot (field 22 of /proc/PID/stat): tells a reused process id. null where /proc is missing. */
function startTime(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}
