import { createReadStream } from 'node:fs';
import type { z } from 'zod';
import { describe, MoaError } from '../../core/errors.ts';
import { ioError } from '../../core/files.ts';

/** A line of a JSON Lines file, with its number from 1. */
export interface JsonLine<T> {
  readonly line: number;
  readonly value: T;
}

/** No known data set has a line near this; without a bound a file without newlines would be read into memory whole. */
const MAX_LINE_BYTES = 64 * 1024 * 1024;
const NEWLINE = 10;

/**
 * Values of a JSON Lines file, one after the other and never the whole file in memory; empty lines are skipped. Throws NOT_FOUND or IO where it can't be read,
 * INVALID_FILE with file, line, field and value where a line is not UTF-8, not JSON, or does not match the schema.
 */
export async function* readJsonLines<T>(path: string, schema: z.ZodType<T>): AsyncGenerator<JsonLine<T>> {
  let line = 0;
  for await (const bytes of rawLines(path)) {
    line++;
    const text = decodeLine(bytes, `${path}:${line}`).trim();
    if (text !== '') yield { line, value: parseLine(text, schema, `${path}:${line}`) };
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

function parseLine<T>(text: string, schema: z.ZodType<T>, where: string): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new MoaError(`Expected one JSON value for ${where} but received ${describe(text)}`, {
      code: 'INVALID_FILE',
      hint: 'Each line must be one complete JSON object.',
      cause,
    });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const field = issue === undefined || issue.path.length === 0 ? 'the line' : issue.path.join('.');
  throw new MoaError(
    `Expected a valid ${field} for ${where} but received ${describe(valueAt(value, issue?.path ?? []))}: ${issue?.message ?? 'invalid'}`,
    {
      code: 'INVALID_FILE',
      hint: 'Compare the line with the format that the data set is published in.',
      cause: parsed.error,
    },
  );
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (inner, key) => (typeof inner === 'object' && inner !== null ? (inner as Record<PropertyKey, unknown>)[key] : undefined),
    value,
  );
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
