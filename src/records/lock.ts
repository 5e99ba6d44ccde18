import { randomUUID } from 'node:crypto';
import { closeSync, constants, fstatSync, linkSync, openSync, readFileSync, readSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { z } from 'zod';
import { MoaError } from '../core/errors.ts';
import { ioError } from '../core/files.ts';
import { sha256 } from '../core/hash.ts';

const holderSchema = z.strictObject({ pid: z.int().min(1), started: z.string().nullable(), host: z.string(), token: z.string() });
type Holder = z.infer<typeof holderSchema>;

export interface WriterLock {
  /** Removes the lock file if it is still ours. Idempotent. */
  release(): void;
}

/** Far more than a lock file has. */
const MAX_BYTES = 4096;
/** A lock that vanishes or changes hands while it is looked at is looked at again. */
const ATTEMPTS = 20;
/** The token of a lock that cannot be read: one of an older version, cut off while it was written. */
const DAMAGED = 'damaged';

/**
 * Takes a lock file for this process. A lock whose process is gone (or whose id was given to a later process) is stale and replaced.
 *
 * A lock appears whole or not at all: it is written under another name and linked. A stale one is replaced by rename, and only by the holder of a second
 * lock that is named by the stale one's token: of all who saw that stale lock one replaces it, after looking once more that it is still there.
 * @throws MoaError IO when a living process holds it, or one on another machine whose life cannot be seen from here.
 */
export function acquireLock(path: string): WriterLock {
  const own: Holder = { pid: process.pid, started: startTime(process.pid), host: hostname(), token: randomUUID() };
  const draft = `${path}.${own.token}`;
  try {
    writeFileSync(draft, JSON.stringify(own), { flag: 'wx' });
  } catch (cause) {
    throw ioError(path, 'create', cause);
  }
  try {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (linked(draft, path) || replacedStale(draft, path)) return { release: () => releaseOwn(path, own.token) };
    }
    throw held(path, readHolder(path));
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Puts the draft where no lock is. */
function linked(draft: string, path: string): boolean {
  try {
    linkSync(draft, path);
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw ioError(path, 'create', cause);
  }
}

/** Puts the draft where a stale lock is. false: the lock changed meanwhile. */
function replacedStale(draft: string, path: string): boolean {
  const holder = readHolder(path);
  if (holder === null) return false;
  if (holder !== DAMAGED && isAlive(holder)) throw held(path, holder);
  const token = tokenOf(holder);
  const takeover = takeoverLock(path, token);
  try {
    const still = readHolder(path);
    if (still === null || tokenOf(still) !== token) return false;
    renameSync(draft, path);
    return true;
  } catch (cause) {
    throw ioError(path, 'create', cause);
  } finally {
    takeover.release();
  }
}

/** The right to replace one stale lock. Its holder is as good as the holder of the lock itself. The token, which a stranger may have written, is hashed. */
function takeoverLock(path: string, token: string): WriterLock {
  const takeover = `${path}.${sha256(token).slice(0, 16)}.takeover`;
  try {
    return acquireLock(takeover);
  } catch (error) {
    throw error instanceof MoaError && error.code === 'IO' ? held(path, readHolder(takeover)) : error;
  }
}

function tokenOf(holder: Holder | typeof DAMAGED): string {
  return holder === DAMAGED ? DAMAGED : holder.token;
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

function held(path: string, holder: Holder | typeof DAMAGED | null): MoaError {
  const who =
    holder === null || holder === DAMAGED
      ? 'another process'
      : `process ${holder.pid}${holder.host === hostname() ? '' : ` on ${holder.host}`}`;
  return new MoaError(`Expected to be the only writer of this run but ${who} holds ${path}`, {
    code: 'IO',
    hint: 'Wait for it to end or choose another folder with --out. Delete the lock file only if that process is gone.',
  });
}

function releaseOwn(path: string, token: string): void {
  const holder = readHolder(path);
  if (holder !== null && tokenOf(holder) === token) rmSync(path, { force: true });
}

/** null: there is no lock. A link is not followed: it is no lock of ours. */
function readHolder(path: string): Holder | typeof DAMAGED | null {
  let descriptor: number;
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw ioError(path, 'read', cause);
  }
  try {
    if (!fstatSync(descriptor).isFile()) throw new MoaError(`Expected a regular file for the lock ${path}`, { code: 'INVALID_FILE' });
    const buffer = Buffer.alloc(MAX_BYTES);
    return holderIn(buffer.toString('utf8', 0, readSync(descriptor, buffer, 0, MAX_BYTES, 0)));
  } finally {
    closeSync(descriptor);
  }
}

function holderIn(text: string): Holder | typeof DAMAGED {
  try {
    return holderSchema.parse(JSON.parse(text));
  } catch {
    return DAMAGED;
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
