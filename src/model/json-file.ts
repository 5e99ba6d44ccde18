import { readFileSync } from 'node:fs';
import type { z } from 'zod';
import { describe, MoaError } from '../core/errors.ts';
import { ioError } from '../core/files.ts';

/** A JSON file's parsed content. @throws MoaError NOT_FOUND, IO or INVALID_FILE naming the file. */
export function readJsonFile(path: string): unknown {
  return parseJson(readTextFile(path), path);
}

/** A text file's content. @throws MoaError NOT_FOUND or IO naming the file. */
export function readTextFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw ioError(path, 'read', cause);
  }
}

/** JSON text as a value; `source` names it in messages. @throws MoaError INVALID_FILE. */
export function parseJson(text: string, source: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new MoaError(`Expected JSON in ${source} but received ${describe(text.slice(0, 40))}: ${(cause as Error).message}`, {
      code: 'INVALID_FILE',
      cause,
    });
  }
}

/** `value` checked by `schema`. @throws MoaError INVALID_FILE naming the source, the field and the value. */
export function parseFields<T>(schema: z.ZodType<T>, value: unknown, source: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const path = issue?.path ?? [];
  const field = path.length === 0 ? '' : `${path.map(String).join('.')} in `;
  throw new MoaError(`${issue?.message ?? 'Invalid content'} for ${field}${source} but received ${describe(valueAt(value, path))}`, {
    code: 'INVALID_FILE',
  });
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let at = value;
  for (const key of path) {
    if (typeof at !== 'object' || at === null) return undefined;
    at = (at as Record<PropertyKey, unknown>)[key];
  }
  return at;
}
