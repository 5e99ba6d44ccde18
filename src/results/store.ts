import { closeSync, existsSync, fdatasyncSync, ftruncateSync, openSync, readFileSync, truncateSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { describe, MoaError } from '../core/errors.ts';
import { ioError, makeFolder } from '../core/files.ts';
import { parseJson, parseOrThrow } from '../core/json-file.ts';
import { acquireLock, type WriterLock } from './lock.ts';
import { type RecordOf, type RunRecord, recordSchema } from './record.ts';

/** A last line that was cut off by a kill or a full disk. */
export interface TornLine {
  readonly line: number;
  readonly bytes: number;
}

export interface ReadResult {
  readonly records: readonly RunRecord[];
  readonly torn: TornLine | null;
  /** Where the whole lines end. */
  readonly bytes: number;
}

/** Lines are forced to the disk when a cell ends and at least this often; a killed process loses nothing either way, a power cut up to this. */
const SYNC_INTERVAL_MS = 1000;

/**
 * All records of a file. A last line without its newline is torn and left out.
 * @throws MoaError INVALID_FILE naming file, line and field for any other malformed line; NOT_FOUND or IO when it cannot be read.
 */
export function readRecords(path: string): ReadResult {
  let data: Buffer;
  try {
    data = readFileSync(path);
  } catch (cause) {
    throw ioError(path, 'read', cause);
  }
  const records: RunRecord[] = [];
  let start = 0;
  for (let end = data.indexOf(10); end >= 0; end = data.indexOf(10, start)) {
    records.push(parseLine(data.toString('utf8', start, end), `${path}:${records.length + 1}`));
    start = end + 1;
  }
  const rest = data.length - start;
  return { records, torn: rest === 0 ? null : { line: records.length + 1, bytes: rest }, bytes: start };
}

/** The append-only log of one run folder, open for the one writer that it allows. */
export class RecordStore {
  /** What was cut off at opening; say so to the user. */
  readonly torn: TornLine | null;
  readonly #path: string;
  readonly #lock: WriterLock;
  readonly #records: RunRecord[];
  readonly #byCell = new Map<string, RunRecord[]>();
  #descriptor: number | null;
  #bytes: number;
  #syncedAt = 0;

  private constructor(path: string, lock: WriterLock) {
    const read = existsSync(path) ? readRecords(path) : { records: [], torn: null, bytes: 0 };
    this.#path = path;
    this.#lock = lock;
    this.torn = read.torn;
    this.#bytes = read.bytes;
    this.#records = [...read.records];
    for (const record of this.#records) this.#index(record);
    try {
      if (read.torn !== null) truncateSync(path, read.bytes);
      this.#descriptor = openSync(path, 'a');
    } catch (cause) {
      throw ioError(path, 'write', cause);
    }
  }

  /**
   * Opens or creates the log and takes its writer lock. A torn last line is cut off and told in `torn`.
   * @throws MoaError IO when another process writes it or the folder cannot be written; INVALID_FILE for a malformed line.
   */
  static open(path: string): RecordStore {
    makeFolder(dirname(path));
    const lock = acquireLock(`${path}.lock`);
    try {
      return new RecordStore(path, lock);
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  /** All records, in file order. */
  get records(): readonly RunRecord[] {
    return this.#records;
  }

  /** The records of a cell, by its content hash. */
  ofCell(cell: string): readonly RunRecord[] {
    return this.#byCell.get(cell) ?? [];
  }

  /** How a cell ended last; undefined while it is unfinished. */
  outcomeOf(cell: string): RecordOf<'outcome'> | undefined {
    return this.ofCell(cell).findLast((record): record is RecordOf<'outcome'> => record.kind === 'outcome');
  }

  /**
   * Checks and appends one record: one line, one write. What could not be written whole is taken back, so that the file stays readable.
   * @throws MoaError INVALID_ARGUMENT for a malformed record; IO (such as a full disk) naming the file.
   */
  append(record: RunRecord): void {
    if (this.#descriptor === null)
      throw new MoaError(`Expected an open record store for ${this.#path} but it is closed`, { code: 'INTERNAL' });
    const parsed = recordSchema.safeParse(record);
    if (!parsed.success)
      throw new MoaError(`Expected a valid record but received ${describe(record)}: ${z.prettifyError(parsed.error)}`, {
        code: 'INVALID_ARGUMENT',
      });
    const line = Buffer.from(`${JSON.stringify(parsed.data)}\n`);
    try {
      let written = 0;
      while (written < line.length) written += writeSync(this.#descriptor, line, written);
      this.#bytes += line.length;
      this.#sync(record.kind === 'outcome');
    } catch (cause) {
      this.#takeBack();
      throw ioError(this.#path, 'write', cause);
    }
    this.#records.push(parsed.data);
    this.#index(parsed.data);
  }

  /** Flushes, closes and releases the lock. Idempotent. */
  close(): void {
    if (this.#descriptor === null) return;
    const descriptor = this.#descriptor;
    this.#descriptor = null;
    try {
      fdatasyncSync(descriptor);
      closeSync(descriptor);
    } catch (cause) {
      throw ioError(this.#path, 'write', cause);
    } finally {
      this.#lock.release();
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #sync(force: boolean): void {
    const now = performance.now();
    if (this.#descriptor === null || !(force || now - this.#syncedAt > SYNC_INTERVAL_MS)) return;
    fdatasyncSync(this.#descriptor);
    this.#syncedAt = now;
  }

  #takeBack(): void {
    try {
      if (this.#descriptor !== null) ftruncateSync(this.#descriptor, this.#bytes);
    } catch {
      // The write error is the one to tell; a torn last line is cut off at the next opening.
    }
  }

  #index(record: RunRecord): void {
    if (!('cell' in record)) return;
    const list = this.#byCell.get(record.cell);
    if (list === undefined) this.#byCell.set(record.cell, [record]);
    else list.push(record);
  }
}

const HINT = 'The file was edited, damaged, or written by another version. Restore it or start a new run folder.';

function parseLine(text: string, place: string): RunRecord {
  return parseOrThrow(recordSchema, parseJson(text, place, HINT), { what: 'a record', path: place, hint: HINT });
}
