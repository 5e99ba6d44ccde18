import { fileURLToPath } from 'node:url';
import type { z } from 'zod';
import { describe, MoaError } from './errors.ts';
import { readInputText } from './read-input.ts';

/**
 * Far above any JSON file of ours or of a model's folder (a large tokenizer takes 30 MB). A larger file cannot be the one that was meant.
 */
const MAX_BYTES = 256 * 2 ** 20;

/** Maximum number of levels of nesting. Our own files nest up to 10 deep, tokenizers up to 12. */
const MAX_DEPTH = 128;

const [QUOTE, BACKSLASH, OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [34, 92, 91, 93, 123, 125];

/** How messages speak of a value that is checked. */
export interface JsonContext {
  /** What it should be: `a plan`. */
  readonly what: string;
  /** The file, or the part of one, that it came from. */
  readonly path: string;
  /** One sentence that says what to do when it is malformed. */
  readonly hint?: string;
}

/**
 * The value of a JSON file, checked by the schema. Errors: NOT_FOUND or IO for the file; INVALID_FILE that names the file, the field and
 * its value.
 */
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

/** A text file's content, 256 MiB at most. Errors: NOT_FOUND or IO, INVALID_FILE when it is larger or no regular file; each names the file. */
function readText(path: string): string {
  return readInputText(path, { what: 'text', maxBytes: MAX_BYTES });
}

/**
 * The value of JSON text. The message of an error may be recorded and published, so it does not quote the text: the path may name a private
 * file by mistake. The quotation is in the error's `found`.
 * @throws MoaError INVALID_FILE that names `path` and the place where the text stops being JSON.
 */
export function parseJson(text: string, path: string, hint?: string): unknown {
  const malformed = (received: string, cause?: unknown): MoaError =>
    new MoaError(`Expected JSON in ${path} but received ${received}`, {
      code: 'INVALID_FILE',
      ...(hint === undefined ? {} : { hint }),
      found: describe(text.slice(0, 80)),
      cause,
    });
  if (nestsDeeper(text, MAX_DEPTH)) throw malformed(`lists or objects that are nested more than ${MAX_DEPTH} deep`);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw malformed(whereItStops(text, cause), cause);
  }
}

/**
 * The value, checked by the schema.
 * @throws MoaError INVALID_FILE that names the file, the first wrong field and the kind of its value. As in `parseJson`, text is not
 * quoted.
 */
export function parseOrThrow<S extends z.ZodType>(schema: S, value: unknown, { what, path, hint }: JsonContext): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue, ...others] = parsed.error.issues;
  const field = issue?.path.map(String).join('.') ?? '';
  const wrong = lookUp(value, issue?.path ?? []);
  const received = field === '' ? kindOf(wrong) : `${valueText(wrong)} for ${field}`;
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
  throw new MoaError(`Expected ${what} in ${path} but received ${received}: ${issueText(issue)}${more}`, {
    code: 'INVALID_FILE',
    ...(hint === undefined ? {} : { hint }),
    found: issue?.code === 'unrecognized_keys' ? issue.keys.map((key) => describe(key)).join(', ') : describe(wrong),
    cause: parsed.error,
  });
}

/**
 * Whether brackets outside strings nest deeper than `limit`. JSON.parse accepts any depth, but recursive code that reads the value later
 * would overflow the stack.
 */
function nestsDeeper(text: string, limit: number): boolean {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const character = text.charCodeAt(i);
    if (inString) {
      if (character === BACKSLASH) i++;
      else if (character === QUOTE) inString = false;
    } else if (character === QUOTE) inString = true;
    else if (character === OPEN_LIST || character === OPEN_OBJECT) {
      if (++depth > limit) return true;
    } else if (character === CLOSE_LIST || character === CLOSE_OBJECT) depth--;
  }
  return false;
}

/** Where text stops being JSON, in words that quote none of it. */
function whereItStops(text: string, cause: unknown): string {
  const message = cause instanceof Error ? cause.message : '';
  const offset = /at position (\d+)/.exec(message)?.[1] ?? (message.startsWith(UNEXPECTED) ? unexpectedAt(text) : undefined);
  if (offset === undefined) return text.trim() === '' ? 'no text' : 'other text';
  if (Number(offset) >= text.length) return 'text that ends too early';
  const before = text.slice(0, Number(offset)).split('\n');
  return `other text at line ${before.length}, column ${(before.at(-1) ?? '').length + 1}`;
}

const UNEXPECTED = 'Unexpected token';

/**
 * The offset of the unexpected character, for the messages of V8 that name it without its place. Bisection finds the shortest beginning of
 * the text that fails in the same way. undefined for texts above 2^20 characters, where this takes too long.
 */
function unexpectedAt(text: string): number | undefined {
  if (text.length > 2 ** 20) return undefined;
  let [before, from] = [0, text.length];
  while (from - before > 1) {
    const middle = (before + from) >> 1;
    if (unexpected(text.slice(0, middle))) from = middle;
    else before = middle;
  }
  return from - 1;
}

function unexpected(text: string): boolean {
  try {
    JSON.parse(text);
    return false;
  } catch (error) {
    return error instanceof Error && error.message.startsWith(UNEXPECTED);
  }
}

/** zod's sentence about a field; but a sentence of ours about unknown keys, because zod's quotes them. */
function issueText(issue: z.core.$ZodIssue | undefined): string {
  if (issue?.code === 'unrecognized_keys')
    return `${issue.keys.length === 1 ? 'one key is' : `${issue.keys.length} keys are`} unknown here`;
  return issue?.message ?? 'it is malformed';
}

/** A field's value: numbers and constants as they are, anything else by its kind. */
function valueText(value: unknown): string {
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : kindOf(value);
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === 'string') return `text of ${value.length} characters`;
  if (Array.isArray(value)) return `a list of ${value.length}`;
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

function lookUp(value: unknown, path: readonly PropertyKey[]): unknown {
  let at = value;
  for (const key of path) {
    if (at === null || typeof at !== 'object') return undefined;
    at = (at as Record<PropertyKey, unknown>)[key];
  }
  return at;
}
