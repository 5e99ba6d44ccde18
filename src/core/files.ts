import { randomBytes } from 'node:crypto';
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { MoaError } from './errors.ts';

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
    rmSync(temporary, { force: true });
    throw ioError(path, 'write', cause);
  }
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

/** A file-system failure as one clear sentence. */
export function ioError(path: string, action: 'read' | 'write' | 'create', cause: unknown): MoaError {
  const code = (cause as NodeJS.ErrnoException | undefined)?.code ?? '';
  const reason = REASONS[code] ?? String((cause as Error | undefined)?.message ?? cause);
  return new MoaError(`Could not ${action} ${path}: ${reason}`, {
    code: action === 'read' && code === 'ENOENT' ? 'NOT_FOUND' : 'IO',
    hint:
      code === 'ENOSPC'
        ? 'Free some space or choose another folder with --out, then go on with --resume.'
        : 'Check the path and its permissions.',
    cause,
  });
}
