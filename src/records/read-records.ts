import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { MoaError } from '../core/errors.ts';
import { ioError } from '../core/files.ts';
import { parseJson, parseOrThrow } from '../core/json-file.ts';
import { readCompressedInput } from '../core/read-input.ts';
import { withTodaysNames } from './older-names.ts';
import { type RunRecord, recordSchema } from './record.ts';
import { RECORD_VERSION } from './version.ts';

/** A last line that has no newline, because a kill or a full disk cut it off. */
interface TornLine {
  readonly line: number;
  readonly bytes: number;
}

export interface ReadResult {
  readonly records: readonly RunRecord[];
  readonly torn: TornLine | null;
  /** Numbers, from 1, of the lines from which no record can be read. */
  readonly damaged: readonly number[];
  /** Length in bytes of all whole lines, so the offset at which a torn line begins. */
  readonly bytes: number;
}

/** Far above any run so far (the largest has 6 MB). A larger file is not a log of records. */
const MAX_BYTES = 2 ** 30;
const NEWLINE = 10;

/**
 * All records of a file. A file whose name ends in .gz is unpacked. A last line without its newline is torn, and a line that holds no record is damaged. Both
 * are left out, and the result says which they are.
 * @throws MoaError NOT_FOUND or IO when the file cannot be read; INVALID_FILE when it is no regular file, is too large, or is not empty but holds no record;
 * UNSUPPORTED when a newer version wrote it.
 */
export function readRecords(path: string): ReadResult {
  if (path.endsWith('.gz')) return parsed(readCompressedInput(path, { what: 'records', maxBytes: MAX_BYTES, links: 'refuse' }), path);
  const descriptor = openRecords(path, 'read');
  try {
    return readAll(descriptor, path);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * The file descriptor of a log. `append` creates the log if there is none. Links are not followed, and only a regular file is opened, because someone else may
 * have put anything in the place of a log.
 * @throws MoaError NOT_FOUND or IO when the log cannot be opened; INVALID_FILE when it is a link or no regular file.
 */
export function openRecords(path: string, action: 'read' | 'append'): number {
  const { O_RDONLY, O_RDWR, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
  const access = action === 'read' ? O_RDONLY : O_RDWR | O_APPEND | O_CREAT;
  let descriptor: number;
  try {
    descriptor = openSync(path, access | O_NOFOLLOW | O_NONBLOCK, 0o666);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    throw code === 'ELOOP' ? irregular(path, 'a link') : ioError(path, action === 'read' ? 'read' : 'write', cause);
  }
  if (fstatSync(descriptor).isFile()) return descriptor;
  closeSync(descriptor);
  throw irregular(path, 'something else');
}

/** All records of an open, uncompressed log. @throws as `readRecords`. */
export function readAll(descriptor: number, path: string): ReadResult {
  return parsed(contentOf(descriptor, path), path);
}

function parsed(data: Buffer, path: string): ReadResult {
  const records: RunRecord[] = [];
  const damaged: number[] = [];
  let [start, line] = [0, 0];
  for (let end = data.indexOf(NEWLINE); end >= 0; end = data.indexOf(NEWLINE, start)) {
    line++;
    const record = recordIn(data.toString('utf8', start, end), `${path}:${line}`);
    if (record === null) damaged.push(line);
    else records.push(record);
    start = end + 1;
  }
  const rest = data.length - start;
  if (records.length === 0 && data.length > 0) throw unreadable(path, data.length);
  return { records, torn: rest === 0 ? null : { line: line + 1, bytes: rest }, damaged, bytes: start };
}

function contentOf(descriptor: number, path: string): Buffer {
  const { size } = fstatSync(descriptor);
  if (size > MAX_BYTES)
    throw new MoaError(`Expected at most ${MAX_BYTES} bytes of records in ${path} but received ${size}`, { code: 'INVALID_FILE' });
  const data = Buffer.alloc(size);
  try {
    let length = 0;
    while (length < size) {
      const got = readSync(descriptor, data, length, size - length, length);
      if (got === 0) break;
      length += got;
    }
    return data.subarray(0, length);
  } catch (cause) {
    throw ioError(path, 'read', cause);
  }
}

/** The record in a line. null: the line is damaged. A run of a newer version throws instead, because all of its lines would look damaged. */
function recordIn(text: string, place: string): RunRecord | null {
  try {
    const value = withTodaysNames(parseJson(text, place));
    refuseOtherVersion(value, place);
    return parseOrThrow(recordSchema, value, { what: 'a record', path: place });
  } catch (error) {
    if (error instanceof MoaError && error.code === 'UNSUPPORTED') throw error;
    return null;
  }
}

function refuseOtherVersion(value: unknown, place: string): void {
  const { kind, recordVersion } = (value ?? {}) as { readonly kind?: unknown; readonly recordVersion?: unknown };
  if (kind !== 'run' || typeof recordVersion !== 'number' || recordVersion <= RECORD_VERSION) return;
  throw new MoaError(`Expected records of version 1 to ${RECORD_VERSION} in ${place} but received version ${recordVersion}`, {
    code: 'UNSUPPORTED',
    hint: 'Read it with the version of moabench that wrote it, or start a new run folder.',
  });
}

function irregular(path: string, what: string): MoaError {
  return new MoaError(`Expected a regular file for ${path} but received ${what}`, {
    code: 'INVALID_FILE',
    hint: 'Moabench did not leave the run folder like this. Name another folder with --out.',
  });
}

function unreadable(path: string, bytes: number): MoaError {
  return new MoaError(`Expected records in ${path} but received ${bytes} bytes without one whole record`, {
    code: 'INVALID_FILE',
    hint: 'Nothing was changed. If the file is a run that was stopped at its very first line, delete it; else name another folder with --out.',
  });
}
