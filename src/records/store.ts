import { closeSync, fdatasyncSync, ftruncateSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { describe, MoaError } from '../core/errors.ts';
import { ioError, makeFolder } from '../core/files.ts';
import { acquireLock, type WriterLock } from './lock.ts';
import { openRecords, type ReadResult, readAll } from './read-records.ts';
import { type RunRecord, recordSchema } from './record.ts';
import { RecordLog } from './record-log.ts';

/** Lines are forced to the disk when a cell ends and at least this often; a killed process loses nothing either way, a power cut up to this. */
const SYNC_INTERVAL_MS = 1000;

interface Opened {
  readonly path: string;
  readonly lock: WriterLock;
  readonly descriptor: number;
  readonly read: ReadResult;
}

/** The append-only log of one run folder, open for the one writer that it allows. */
export class RecordStore extends RecordLog {
  /** What was cut off at opening; say so to the user. */
  readonly torn: ReadResult['torn'];
  /** Lines that were left out as no record can be read from them; say so to the user. */
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
   * Opens or creates the log and takes its writer lock. A torn last line is cut off and told in `torn`.
   * @throws MoaError IO when another process writes it or the folder cannot be written; INVALID_FILE when it is no regular file or holds no whole record.
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

  /** A record to write before the next one, and only if there is a next one: it says what those are about. */
  preface(record: RunRecord): void {
    this.#preface = record;
  }

  /**
   * Checks and appends one record: one line, one write. What could not be written whole is taken back, so that the file stays readable.
   * @throws MoaError INVALID_ARGUMENT for a malformed record; IO (such as a full disk) naming the file.
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
}
