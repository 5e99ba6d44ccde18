import { readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { z } from 'zod';
import { describe, MoaError } from './errors.ts';
import { ioError } from './files.ts';

/** Far above any real file of ours or of a model's folder (a large tokenizer takes 30 MB); a larger one is another thing. */
const MAX_BYTES = 256 * 2 ** 20;

/** How messages speak of a value that is checked. */
export interface JsonContext {
  /** What it should be: `a plan`. */
  readonly what: string;
  /** The file, or the part of one, that it came from. */
  readonly path: string;
  /** One sentence that says what to do when it is malformed. */
  readonly hint?: string;
}

/** A file's value of the schema's type. Errors: NOT_FOUND or IO for the file; INVALID_FILE that names the file, the field and its value. */
export function readJsonAs<S extends z.ZodType>(
  schema: S,
  file: string | URL,
  context: { readonly what: string; readonly hint?: string },
): z.output<S> {
  const path = typeof file === 'string' ? file : fileURLToPath(file);
  return parseOrThrow(schema, readJson(path, context.hint), { ...context, path });
}

/** A JSON file's value. Errors: NOT_FOUND or IO for the file, INVALID_FILE when it is not JSON; each names the file. */
export function readJson(path: string, hint?: string): unknown {
  return parseJson(readText(path), path, hint);
}

/** A text file's content, 256 MiB at most. Errors: NOT_FOUND or IO, INVALID_FILE when it is larger; each names the file. */
export function readText(path: string): string {
  try {
    const bytes = statSync(path).size;
    if (bytes <= MAX_BYTES) return readFileSync(path, 'utf8');
    throw new MoaError(`Expected at most ${MAX_BYTES} bytes of text in ${path} but received ${bytes}`, { code: 'INVALID_FILE' });
  } catch (cause) {
    throw cause instanceof MoaError ? cause : ioError(path, 'read', cause);
  }
}

/** JSON text as a value, or INVALID_FILE that names `path` and says where it stops being JSON. */
export function parseJson(text: string, path: string, hint?: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new MoaError(`Expected JSON in ${path} but received ${describe(text.slice(0, 80))}: ${reason}`, {
      code: 'INVALID_FILE',
      ...(hint === undefined ? {} : { hint }),
      cause,
    });
  }
}

/** The value as the schema's type, or INVALID_FILE that names the file, the first wrong field and its value. */
export function parseOrThrow<S extends z.ZodType>(schema: S, value: unknown, { what, path, hint }: JsonContext): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue, ...others] = parsed.error.issues;
  const field = issue?.path.map(String).join('.') ?? '';
  const received = `${describe(lookUp(value, issue?.path ?? []))}${field === '' ? '' : ` for ${field}`}`;
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
  throw new MoaError(`Expected ${what} in ${path} but received ${received}: ${issue?.message ?? 'it is malformed'}${more}`, {
    code: 'INVALID_FILE',
    ...(hint === undefined ? {} : { hint }),
    cause: parsed.error,
  });
}

function lookUp(value: unknown, path: readonly PropertyKey[]): unknown {
  let at = value;
  for (const key of path) {
    if (at === null || typeof at !== 'object') return undefined;
    at = (at as Record<PropertyKey, unknown>)[key];
  }
  return at;
}
