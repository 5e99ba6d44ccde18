/** What went wrong, for programs. Exit codes follow from it (see cli). */
export const ERROR_CODES = [
  'INVALID_ARGUMENT', // a value passed by the caller is out of its documented range
  'INVALID_FILE', // a file's content is malformed: suite, plan, checkpoint, tokenizer, dataset, record
  'UNSUPPORTED', // well-formed, but not implemented here; the message names what is supported
  'NOT_FOUND', // a file, task, method or backend that does not exist
  'UNAVAILABLE', // a backend or library that this machine lacks
  'OUT_OF_MEMORY',
  'IO', // disk full, read-only folder, permission
  'ABORTED',
  'INTERNAL',
] as const;
/** One of `ERROR_CODES`. */
export type ErrorCode = (typeof ERROR_CODES)[number];

export interface MoaErrorOptions {
  readonly code: ErrorCode;
  /** One sentence that says what to do next. */
  readonly hint?: string;
  /**
   * The content that a file had instead, quoted. It is shown in the terminal and never recorded, because the path may name a private file
   * by mistake.
   */
  readonly found?: string;
  readonly cause?: unknown;
}

/** The one error type of the project. Message style: `Expected <what> for <name> but received <value>`. */
export class MoaError extends Error {
  override readonly name = 'MoaError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly found: string | undefined;

  constructor(message: string, options: MoaErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = options.code;
    this.hint = options.hint;
    this.found = options.found;
  }
}

/** An INVALID_ARGUMENT error in the house style. */
export function invalidArgument(what: string, name: string, received: unknown, hint?: string): MoaError {
  return new MoaError(`Expected ${what} for ${name} but received ${describe(received)}`, {
    code: 'INVALID_ARGUMENT',
    ...(hint === undefined ? {} : { hint }),
  });
}

/** A value as it appears in a message: JSON, at most 120 characters. */
export function describe(value: unknown): string {
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return 'a function';
  let text: string;
  try {
    text = JSON.stringify(value) ?? String(value);
  } catch {
    text = typeof value === 'object' ? 'a value that cannot be printed (nested too deep)' : String(value);
  }
  return text.length <= 120 ? text : `${text.slice(0, 117)}...`;
}
