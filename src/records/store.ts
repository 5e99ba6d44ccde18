import { closeSync, fdatasyncSync, ftruncateSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { describe, MoaError } from '../core/errors.ts';
import { ioError, makeFolder } from '../core/files.ts';
import { acquireLock, type WriterLock } from './lock.ts';
import { openRecords, type ReadResult, readAll } from './read-records.ts';
import { type RunRecord, recordSchema } from './record.ts';
import { RecordLog } from './record-log.ts';

/**
 * Lines are forced to the disk when a cell ends, and when a line is written this long after the last time. A killed process loses no line in either case. A power
 * cut may lose the lines since then.
 */
const SYNC_INTERVAL_MS = 1000;

interface Opened {
  readonly path: string;
  readonly lock: WriterLock;
  readonly descriptor: number;
  readonly read: ReadResult;
}

/** The append-only log of one run folder, open for writing. Only one process at a time can have it open. */
export class RecordStore extends RecordLog {
  /** The torn last line that was cut off at opening, which the user should be told; null when there was none. */
  readonly torn: ReadResult['torn'];
  /** Numbers of the lines that were left out because no record can be read from them. The user should be told. */
  readonly damaged: ReadResult['damaged'];
  readonly #path: string;
  readonly #lock: WriterLock;
  #descriptor: number | null;
  #bytes: number;
  #syncedAt = 0;
  #preface: RunRecord | null = null;

  private constructor({ path, lock, descriptor, read }: Opened) {
    super(read.records);
    this.torn = read.torn;
    this.damaged = read.damaged;
    this.#path = path;
    this.#lock = lock;
    this.#descriptor = descriptor;
    this.#bytes = read.bytes;
  }

  /**
   * The open log, created if there is none, with its writer lock held. A torn last line is cut off, and `torn` says so.
   * @throws MoaError IO when another process has the log open or the folder cannot be written; INVALID_FILE when the log is no regular file, is too large, or is
   * not empty but holds no whole record; UNSUPPORTED when a newer version wrote it.
   */
  static open(path: string): RecordStore {
    makeFolder(dirname(path));
    const lock = acquireLock(`${path}.lock`);
    let descriptor: number | undefined;
    try {
      descriptor = openRecords(path, 'append');
      const read = readAll(descriptor, path);
      if (read.torn !== null) ftruncateSync(descriptor, read.bytes);
      return new RecordStore({ path, lock, descriptor, read });
    } catch (cause) {
      if (descriptor !== undefined) closeSync(descriptor);
      lock.release();
      throw cause instanceof MoaError ? cause : ioError(path, 'write', cause);
    }
  }

  /** Keeps a record that explains the records after it. It is written just before the next record, and not at all if no other record follows. */
  preface(record: RunRecord): void {
    this.#preface = record;
  }

  /**
   * Checks one record and appends it as one line. If the line cannot be written whole, its part is cut off again, so that the file stays readable.
   * @throws MoaError INVALID_ARGUMENT for a malformed record; IO, with the file's name, when writing fails (for example on a full disk); INTERNAL after `close`.
   */
  append(record: RunRecord): void {
    if (this.#descriptor === null)
      throw new MoaError(`Expected an open record store for ${this.#path} but it is closed`, { code: 'INTERNAL' });
    const preface = this.#preface;
    this.#preface = null;
    if (preface !== null) this.append(preface);
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
    this.add(parsed.data);
  }

  /** Flushes and closes the log and releases its lock. A second call does nothing. @throws MoaError IO when flushing or closing fails. */
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
      // The caller reports the write error, which matters more. The next opening cuts off the torn last line.
    }
  }
}
