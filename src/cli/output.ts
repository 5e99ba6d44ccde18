import { ioError } from '../core/files.ts';
import { printable } from '../core/printable.ts';
import { EXIT } from './exit-code.ts';

/** Writes to standard output. The text may quote a stranger's file, so control characters are made visible and the terminal does not obey them. */
export function print(text: string): void {
  process.stdout.write(printable(text));
}

/** Writes to standard output without escaping, for text with its own colour codes. The caller has already made quoted text printable. */
export function printColoured(text: string): void {
  process.stdout.write(text);
}

/** Writes to standard error, with control characters made visible as by `print`. */
export function tell(text: string): void {
  process.stderr.write(printable(text));
}

/**
 * Decides what happens when an output stream fails. When the reader of standard output has gone away (`| head`), the process ends quietly with the exit code
 * so far. When standard output cannot be written (a full disk), that is an error. When standard error fails, the work goes on, because standard error
 * carries no results.
 */
export function guardOutput(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit();
    tell(`error: ${ioError('standard output', 'write', error).message}\n`);
    process.exit(EXIT.someFailed);
  });
  process.stderr.on('error', () => {});
}
