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
  /** Removes the lock file if this process still holds it. A second call does nothing. */
  release(): void;
}

/** More bytes than any lock file has. */
const MAX_BYTES = 4096;
/** How often a lock is read again when it vanished or changed hands during the attempt to take it. */
const ATTEMPTS = 20;
/** Stands for the holder, and for its token, when the lock file cannot be read. Older versions left such files when they were killed while writing one. */
const DAMAGED = 'damaged';

/**
 * Takes a lock file for this process and returns the lock. A lock is stale when its process is gone, or when a later process has its process id. A stale
 * lock is replaced.
 *
 * A lock file appears whole or not at all: it is written under another name and then linked. A stale lock file is replaced by rename. Several processes may
 * see the same stale lock, so each must first take a second lock, whose name is made from the stale lock's token. Only one process gets that second lock. It
 * checks that the stale lock is still there, and replaces it.
 * @throws MoaError IO when a living process holds the lock, or a process on another machine, because this machine cannot see whether that process is alive;
 * INVALID_FILE when the lock is no regular file.
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

/** Puts the draft in place if there is no lock. false: there is a lock. */
function linked(draft: string, path: string): boolean {
  try {
    linkSync(draft, path);
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw ioError(path, 'create', cause);
  }
}

/** Puts the draft in the place of a stale lock. false: the lock changed in the meantime. */
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

/**
 * The right to replace one stale lock. When another process has this right, it is reported as the holder of the lock itself. The token is hashed, because a
 * stranger may have written it.
 */
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

/** Who holds the lock. null: there is no lock. Symbolic links are not followed, because moabench makes none. */
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

/**
 * When a process started, in clock ticks since boot (field 22 of /proc/PID/stat). It shows whether a process id was given to another process. null where /proc
 * is missing.
 */
function startTime(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}
