import { randomBytes } from 'node:crypto';
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { type ErrorCode, MoaError } from './errors.ts';

/**
 * Writes a whole file or nothing: to a temporary name beside it, then renamed. Creates the folder.
 * Disk full, read-only and permission become one IO error that names the file.
 */
export function writeFileAtomic(path: string, data: string | Uint8Array): void {
  const temporary = `${path}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(temporary, data, { flush: true });
    renameSync(temporary, path);
  } catch (cause) {
    removeQuietly(temporary);
    throw ioError(path, 'write', cause);
  }
}

/** Where the folder cannot be used at all, removing fails as writing did; the write error is the one to tell. */
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
};

/** What reading such a path means: the path was wrong, not the disk. */
const READ_CODES: Readonly<Record<string, ErrorCode>> = { ENOENT: 'NOT_FOUND', ENOTDIR: 'NOT_FOUND', EISDIR: 'INVALID_ARGUMENT' };

const HINTS: Readonly<Record<string, string>> = {
  ENOSPC: 'Free some space or choose another folder with --out, then go on with --resume.',
  EISDIR: 'Name a file in it.',
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
