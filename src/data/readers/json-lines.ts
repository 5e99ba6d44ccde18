import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { z } from 'zod';
import { MoaError } from '../../core/errors.ts';
import { ioError } from '../../core/files.ts';
import { parseJson, parseOrThrow } from '../../core/json-file.ts';

/** A line of a JSON Lines file, with its number from 1. */
export interface JsonLine<T> {
  readonly line: number;
  readonly value: T;
}

/** LongBench's longest line takes about 2 MB; without a bound a file without newlines would be read into memory whole. */
const MAX_LINE_BYTES = 16 * 1024 * 1024;
/** LongBench's files have 200 at most, LongEval's 50; empty ones count. */
const MAX_LINES = 100_000;
const NEWLINE = 10;
const HINT = 'Each line must be one complete JSON object in the format that the data set is published in.';

/**
 * Values of a JSON Lines file, one after the other and never the whole file in memory; empty lines are skipped. Throws NOT_FOUND or IO where it can't be read,
 * INVALID_FILE where it is no regular file or too large in some way, and with file, line, field and value where a line is not UTF-8, not JSON, or does
 * not match the schema.
 */
export async function* readJsonLines<T>(path: string, schema: z.ZodType<T>): AsyncGenerator<JsonLine<T>> {
  let line = 0;
  for await (const bytes of rawLines(path)) {
    if (++line > MAX_LINES) throw tooMuch(path, `at most ${MAX_LINES} lines`);
    const where = `${path}:${line}`;
    const text = decodeLine(bytes, where).trim();
    if (text !== '') yield { line, value: parsedLine(text, where, schema) };
  }
}

function parsedLine<T>(text: string, where: string, schema: z.ZodType<T>): T {
  try {
    return parseOrThrow(schema, parseJson(text, where, HINT), { what: 'a line of this format', path: where, hint: HINT });
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new MoaError(`Expected a line of this format in ${where} but received one that is nested too deeply`, {
      code: 'INVALID_FILE',
      hint: HINT,
      cause,
    });
  }
}

function decodeLine(bytes: Uint8Array, where: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new MoaError(`Expected UTF-8 for ${where} but received other bytes`, {
      code: 'INVALID_FILE',
      hint: 'Convert the file to UTF-8.',
      cause,
    });
  }
}

/** Lines without their newline, as bytes: a character may straddle two chunks of the file. */
async function* rawLines(path: string): AsyncGenerator<Uint8Array> {
  let parts: Uint8Array[] = [];
  let size = 0;
  let file: FileHandle | undefined;
  try {
    file = await openRegular(path);
    for await (const chunk of file.createReadStream({ autoClose: false }) as AsyncIterable<Uint8Array>) {
      let start = 0;
      for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
        yield Buffer.concat([...parts, chunk.subarray(start, end)]);
        parts = [];
        size = 0;
        start = end + 1;
      }
      parts.push(chunk.subarray(start));
      size += chunk.length - start;
      if (size > MAX_LINE_BYTES) throw tooMuch(path, `lines of at most ${MAX_LINE_BYTES} bytes`);
    }
    if (size > 0) yield Buffer.concat(parts);
  } catch (cause) {
    throw cause instanceof MoaError || (cause as NodeJS.ErrnoException).code === undefined ? cause : ioError(path, 'read', cause);
  } finally {
    await file?.close();
  }
}

/** A regular file; opened without waiting, so that a pipe that nobody writes to does not hold up the run, and a device is not read. */
async function openRegular(path: string): Promise<FileHandle> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const stat = await file.stat();
  if (stat.isFile()) return file;
  await file.close();
  if (stat.isDirectory()) throw ioError(path, 'read', { code: 'EISDIR' });
  throw new MoaError(`Expected a regular file for ${path} but received a pipe, a socket or a device`, {
    code: 'INVALID_FILE',
    hint: 'Copy its content into a file and name that.',
  });
}

function tooMuch(path: string, expected: string): MoaError {
  return new MoaError(`Expected ${expected} for ${path} but received more`, { code: 'INVALID_FILE', hint: 'Is this a JSON Lines file?' });
}
