import { randomBytes } from 'node:crypto';
import { mkdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { type ErrorCode, MoaError } from './errors.ts';

/**
 * Writes a file as a whole or not at all: the data goes to a temporary file beside it, which is then renamed. Missing folders are created.
 * @throws MoaError IO that names the file, whatever the reason (full disk, read-only folder, permission).
 */
export function writeFileAtomic(path: string, data: string | Uint8Array): void {
  const temporary = `${path}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
  try {
    makeFolders(dirname(path));
    writeFileSync(temporary, data, { flag: 'wx', flush: true });
    renameSync(temporary, path);
  } catch (cause) {
    removeQuietly(temporary);
    throw ioError(path, 'write', cause);
  }
}

/** Writes a file that is not there yet. @throws MoaError INVALID_ARGUMENT where something of that name is, a link too; IO as `writeFileAtomic`. */
export function writeNewFile(path: string, data: string): void {
  try {
    makeFolders(dirname(path));
    writeFileSync(path, data, { flag: 'wx', flush: true });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw ioError(path, 'write', cause);
    throw new MoaError(`Expected a new file but ${path} is there already`, {
      code: 'INVALID_ARGUMENT',
      hint: 'Name another file, or move that one away: nothing is written over.',
    });
  }
}

/**
 * Makes a folder and its missing parents. `mkdirSync` with `recursive` is not used, because it never returns where a folder cannot be made
 * (under /proc).
 * @throws MoaError IO that names the folder.
 */
export function makeFolder(path: string): void {
  try {
    makeFolders(path);
  } catch (cause) {
    throw ioError(path, 'create', cause);
  }
}

/** As `makeFolder`, but throws the file system's own error. */
function makeFolders(path: string): void {
  if (isFolder(path)) return;
  const parent = dirname(path);
  if (parent !== path) makeFolders(parent);
  try {
    mkdirSync(path);
  } catch (cause) {
    if (!isFolder(path)) throw cause; // another process may have made it meanwhile
  }
}

/** Whether a folder (or a link to one) is there. Throws the file system's error where a parent of the path cannot be read. */
function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** Removes a file if it can. A failure is ignored, because the caller reports the error of the write that came before. */
function removeQuietly(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {}
}

const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EROFS: 'the file system is read-only',
  EACCES: 'permission was denied',
  EPERM: 'permission was denied',
  ENOENT: 'it does not exist',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of its path is not a folder',
  EEXIST: 'a file of that name is in the way',
  ELOOP: 'it is a symbolic link that is not followed',
  EFBIG: 'the file would be larger than allowed',
  EIO: 'the device reported an error',
  EPIPE: 'its reader is gone',
  ENAMETOOLONG: 'the name is too long',
  EMFILE: 'too many files are open',
  EAGAIN: 'it gives nothing to read',
  EINVAL: 'it is not readable as a file',
};

/** Failures of reading that mean a wrong path rather than a faulty disk. */
const READ_CODES: Readonly<Record<string, ErrorCode>> = { ENOENT: 'NOT_FOUND', ENOTDIR: 'NOT_FOUND', EISDIR: 'INVALID_ARGUMENT' };

const HINTS: Readonly<Record<string, string>> = {
  ENOSPC: 'Free some space or choose another folder with --out, then go on with --resume.',
  EISDIR: 'Name a file in it.',
  EFBIG: 'Raise the limit on file sizes (ulimit -f) or choose another file system.',
};

/** A file-system failure as one clear sentence. */
export function ioError(path: string, action: 'read' | 'write' | 'create', cause: unknown): MoaError {
  const code = (cause as NodeJS.ErrnoException | undefined)?.code ?? '';
  const reason = REASONS[code] ?? String((cause as Error | undefined)?.message ?? cause);
  return new MoaError(`Could not ${action} ${path}: ${reason}`, {
    code: (action === 'read' ? READ_CODES[code] : undefined) ?? 'IO',
    hint: HINTS[code] ?? 'Check the path and its permissions.',
    cause,
  });
}
