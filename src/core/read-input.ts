import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { MoaError } from './errors.ts';
import { ioError } from './files.ts';

export interface InputOptions {
  /** What the file should be, for messages: `a suite`. */
  readonly what: string;
  /** Larger files are refused, and no more than this is kept in memory. */
  readonly maxBytes: number;
  /** `refuse` does not open a path that is itself a symbolic link. Default: follow. */
  readonly links?: 'follow' | 'refuse';
}

/** Bytes that one read asks for. Files that report a size of 0 (under /proc) are read in such pieces, too. */
const CHUNK_BYTES = 64 * 1024;

/**
 * A descriptor of a regular file, open for reading; the caller closes it. It never waits: a pipe or a device is opened without blocking, and refused.
 * @throws MoaError NOT_FOUND or IO when it cannot be opened; INVALID_ARGUMENT for a folder; INVALID_FILE for anything else that is no regular file.
 */
export function openInput(path: string, { what, links }: Pick<InputOptions, 'what' | 'links'>): number {
  const flags = constants.O_RDONLY | constants.O_NONBLOCK | (links === 'refuse' ? constants.O_NOFOLLOW : 0);
  let descriptor: number;
  try {
    descriptor = openSync(path, flags);
  } catch (cause) {
    throw ioError(path, 'read', cause);
  }
  try {
    const stat = fstatSync(descriptor);
    if (stat.isFile()) return descriptor;
    throw stat.isDirectory() ? ioError(path, 'read', { code: 'EISDIR' }) : notRegular(path, what, stat);
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

/**
 * The bytes of a regular file of at most `maxBytes`. The bytes that are read are counted, because the size that the file system reports may
 * be wrong.
 * @throws as `openInput`; INVALID_FILE when it is larger.
 */
export function readInput(path: string, options: InputOptions): Buffer {
  const pieces: Buffer[] = [];
  let size = 0;
  for (const piece of inputPieces(path, options)) {
    size += piece.length;
    if (size > options.maxBytes) throw tooLarge(path, options, size);
    pieces.push(piece);
  }
  return Buffer.concat(pieces, size);
}

/**
 * As `readInput`, of a file that gzip compressed: `maxBytes` bounds what it unpacks to, and unpacking stops there.
 * @throws as `readInput`; INVALID_FILE when it is cut off or no gzip.
 */
export function readCompressedInput(path: string, options: InputOptions): Buffer {
  const packed = readInput(path, options);
  try {
    return gunzipSync(packed, { maxOutputLength: options.maxBytes });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(path, options, options.maxBytes + 1);
    throw new MoaError(`Expected ${options.what} that gzip compressed in ${path} but received bytes that do not unpack`, {
      code: 'INVALID_FILE',
      hint: 'The file was cut off or changed; fetch or make it again.',
      cause,
    });
  }
}

/** As `readInput`, as text without its byte order mark. @throws INVALID_FILE also when it is not UTF-8. */
export function readInputText(path: string, options: InputOptions): string {
  return decodeUtf8(readInput(path, options), path);
}

/**
 * The bytes of a regular file, piece by piece; only the piece in hand is in memory. A file whose reported size is above `maxBytes` is
 * refused; the bytes that are read are not counted.
 * @throws as `openInput`.
 */
export function* inputPieces(path: string, options: InputOptions): Generator<Buffer, void> {
  const descriptor = openInput(path, options);
  try {
    const { size } = fstatSync(descriptor);
    if (size > options.maxBytes) throw tooLarge(path, options, size);
    for (;;) {
      const piece = Buffer.allocUnsafe(CHUNK_BYTES);
      const read = readSync(descriptor, piece, 0, piece.length, null);
      if (read === 0) return;
      yield piece.subarray(0, read);
    }
  } catch (cause) {
    throw cause instanceof MoaError ? cause : ioError(path, 'read', cause);
  } finally {
    closeSync(descriptor);
  }
}

/** Bytes as text, without a byte order mark. Messages name `place`: a file, or a line of a file. */
export function decodeUtf8(bytes: Uint8Array, place: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new MoaError(`Expected UTF-8 for ${place} but received other bytes`, {
      code: 'INVALID_FILE',
      hint: 'Convert the file to UTF-8.',
      cause,
    });
  }
}

function tooLarge(path: string, { what, maxBytes }: InputOptions, size: number): MoaError {
  return new MoaError(`Expected ${what} of at most ${maxBytes} bytes in ${path} but received ${size} or more`, {
    code: 'INVALID_FILE',
    hint: 'Check that the path names the file that you mean.',
  });
}

function notRegular(path: string, what: string, stat: Stats): MoaError {
  const kind = stat.isFIFO()
    ? 'a named pipe'
    : stat.isSocket()
      ? 'a socket'
      : stat.isCharacterDevice() || stat.isBlockDevice()
        ? 'a device'
        : 'no file';
  return new MoaError(`Expected ${what} in a regular file for ${path} but received ${kind}`, {
    code: 'INVALID_FILE',
    hint: 'Copy its content into a file and name that.',
  });
}
