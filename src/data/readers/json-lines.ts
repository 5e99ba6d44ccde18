import type { z } from 'zod';
import { inputLinesAsync } from '../../core/input-lines.ts';
import { parseJson, parseOrThrow } from '../../core/json-file.ts';
import { decodeUtf8 } from '../../core/read-input.ts';

/** A line of a JSON Lines file, with its number from 1. */
export interface JsonLine<T> {
  readonly line: number;
  readonly value: T;
}

/** Bounds of a data file. LongBench's longest line takes about 2 MB; its files have 200 lines at most, LongEval's 50. Empty lines count. */
const LIMITS = { what: 'a data file', maxBytes: 4 * 2 ** 30, maxLineBytes: 16 * 2 ** 20, maxLines: 100_000 } as const;
const HINT = 'Each line must be one complete JSON object in the format that the data set is published in.';

/**
 * The values of a JSON Lines file, one after the other; the whole file is never in memory. Empty lines are skipped. Throws NOT_FOUND or IO
 * where the file can't be read, and INVALID_FILE where it is no regular file or exceeds a limit. Throws INVALID_FILE with file, line and
 * field where a line is not UTF-8, is not JSON, or does not match the schema.
 */
export async function* readJsonLines<T>(path: string, schema: z.ZodType<T>): AsyncGenerator<JsonLine<T>> {
  for await (const { number: line, bytes } of inputLinesAsync(path, LIMITS)) {
    const where = `${path}:${line}`;
    const text = decodeUtf8(bytes, where).trim();
    if (text === '') continue;
    yield { line, value: parseOrThrow(schema, parseJson(text, where, HINT), { what: 'a line of this format', path: where, hint: HINT }) };
  }
}
