import { readFileSync, statSync } from 'node:fs';
import type { z } from 'zod';
import { describe, MoaError } from '../core/errors.ts';
import { ioError } from '../core/files.ts';

/** Far above any real plan or front (80 layers x 64 heads take 100 kB); a larger file is another thing. */
const MAX_BYTES = 256 * 2 ** 20;

/** A JSON file's value. Errors: NOT_FOUND or IO for the file, INVALID_FILE when it is not JSON; each names the file. */
export function readJson(path: string): unknown {
  let text: string;
  try {
    const bytes = statSync(path).size;
    if (bytes > MAX_BYTES)
      throw new MoaError(`Expected at most ${MAX_BYTES} bytes of JSON in ${path} but received ${bytes}`, { code: 'INVALID_FILE' });
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw cause instanceof MoaError ? cause : ioError(path, 'read', cause);
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new MoaError(`Expected JSON in ${path} but received text that does not parse: ${reason}`, { code: 'INVALID_FILE', cause });
  }
}

/** The value as the schema's type, or INVALID_FILE that names the file, the first wrong field and its value. */
export function parseOrThrow<S extends z.ZodType>(
  schema: S,
  value: unknown,
  context: { readonly what: string; readonly path: string },
): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const field = issue?.path.map(String).join('.') ?? '';
  const received = describe(lookUp(value, issue?.path ?? []));
  const more = parsed.error.issues.length > 1 ? ` (and ${parsed.error.issues.length - 1} more)` : '';
  throw new MoaError(
    `Expected ${context.what} in ${context.path} but received ${received} for ${field === '' ? 'the whole file' : field}: ${issue?.message}${more}`,
    { code: 'INVALID_FILE', cause: parsed.error },
  );
}

function lookUp(value: unknown, path: readonly PropertyKey[]): unknown {
  let at = value;
  for (const key of path) {
    if (at === null || typeof at !== 'object') return undefined;
    at = (at as Record<PropertyKey, unknown>)[key];
  }
  return at;
}
