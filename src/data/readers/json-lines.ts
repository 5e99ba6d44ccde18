import { createReadStream } from 'node:fs';
import type { z } from 'zod';
import { MoaError } from '../../core/errors.ts';
import { ioError } from '../../core/files.ts';
import { parseJson, parseOrThrow } from '../../core/json-file.ts';

/** A line of a JSON Lines file, with its number from 1. */
export interface JsonLine<T> {
  readonly line: number;
  readonly value: T;
}

/** No known data set has a line near this; without a bound a file without newlines would be read into memory whole. */
const MAX_LINE_BYTES = 64 * 1024 * 1024;
const NEWLINE = 10;
const HINT = 'Each line must be one complete JSON object in the format that the data set is published in.';

/**
 * Values of a JSON Lines file, one after the other and never the whole file in memory; empty lines are skipped. Throws NOT_FOUND or IO where it can't be read,
 * INVALID_FILE with file, line, field and value where a line is not UTF-8, not JSON, or does not match the schema.
 */
export async function* readJsonLines<T>(path: string, schema: z.ZodType<T>): AsyncGenerator<JsonLine<T>> {
  let line = 0;
  for await (const bytes of rawLines(path)) {
    line++;
    const text = decodeLine(bytes, `${path}:${line}`).trim();
    if (text === '') continue;
    const where = `${path}:${line}`;
    yield { line, value: parseOrThrow(schema, parseJson(text, where, HINT), { what: 'a line of this format', path: where, hint: HINT }) };
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
  try {
    for await (const chunk of createReadStream(path) as AsyncIterable<Uint8Array>) {
      let start = 0;
      for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
        yield Buffer.concat([...parts, chunk.subarray(start, end)]);
        parts = [];
        size = 0;
        start = end + 1;
      }
      parts.push(chunk.subarray(start));
      size += chunk.length - start;
      if (size > MAX_LINE_BYTES) {
        throw new MoaError(`Expected lines of at most ${MAX_LINE_BYTES} bytes for ${path} but received a longer one`, {
          code: 'INVALID_FILE',
          hint: 'Is this a JSON Lines file?',
        });
      }
    }
  } catch (cause) {
    throw cause instanceof MoaError ? cause : ioError(path, 'read', cause);
  }
  if (size > 0) yield Buffer.concat(parts);
}
