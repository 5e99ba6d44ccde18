import { setImmediate } from 'node:timers/promises';
import { MoaError } from './errors.ts';
import { type InputOptions, inputPieces } from './read-input.ts';

export interface LineOptions extends InputOptions {
  /** A longer line is refused before it is read whole. */
  readonly maxLineBytes: number;
  /** Maximum number of lines of the file; empty lines count. */
  readonly maxLines: number;
}

/** One line of a file, without its newline. */
export interface InputLine {
  /** From 1. */
  readonly number: number;
  readonly bytes: Buffer;
  /** Byte offset in the file at which the line starts. */
  readonly start: number;
  /** Whether the line ends in a newline. The last line of a file that was cut off does not. */
  readonly whole: boolean;
}

const NEWLINE = 10;

/**
 * The lines of a regular file, one after the other; only the line in hand and a piece of the file are in memory.
 * @throws MoaError as `openInput`; INVALID_FILE for a file, a line, or a number of lines above its limit.
 */
export function* inputLines(path: string, options: LineOptions): Generator<InputLine, void> {
  let parts: Buffer[] = [];
  let size = 0;
  let number = 0;
  let start = 0;
  const take = (rest: Buffer, whole: boolean): InputLine => {
    const bytes = Buffer.concat([...parts, rest]);
    const line = { number: ++number, bytes, start, whole };
    if (number > options.maxLines) throw tooMany(path, `at most ${options.maxLines} lines`, 'more');
    parts = [];
    size = 0;
    start += bytes.length + 1;
    return line;
  };
  for (const piece of inputPieces(path, options)) {
    let from = 0;
    for (let end = piece.indexOf(NEWLINE); ; end = piece.indexOf(NEWLINE, from)) {
      const rest = piece.subarray(from, end < 0 ? piece.length : end);
      size += rest.length;
      if (size > options.maxLineBytes)
        throw tooMany(`${path}:${number + 1}`, `a line of at most ${options.maxLineBytes} bytes`, 'a longer one');
      if (end < 0) {
        parts.push(rest);
        break;
      }
      yield take(rest, true);
      from = end + 1;
    }
  }
  if (size > 0) yield take(Buffer.alloc(0), false);
}

/** Lines between two turns of the event loop. */
const LINES_PER_TURN = 1000;

/** As `inputLines`, but it lets the event loop run every `LINES_PER_TURN` lines, so that a progress bar and Ctrl-C work. */
export async function* inputLinesAsync(path: string, options: LineOptions): AsyncGenerator<InputLine, void> {
  for (const line of inputLines(path, options)) {
    if (line.number % LINES_PER_TURN === 0) await setImmediate();
    yield line;
  }
}

function tooMany(place: string, expected: string, received: string): MoaError {
  return new MoaError(`Expected ${expected} for ${place} but received ${received}`, {
    code: 'INVALID_FILE',
    hint: 'Check that the path names a file of lines.',
  });
}
