import { ioError } from '../core/files.ts';
import { printable } from '../core/printable.ts';
import { EXIT } from './exit-code.ts';

/** Writes to standard output. Control characters in it, which may come from a stranger's file, are shown and not obeyed. */
export function print(text: string): void {
  process.stdout.write(printable(text));
}

/** As `print`, for text that has colour codes of its own; what it quotes must be printable already. */
export function printColoured(text: string): void {
  process.stdout.write(text);
}

/** Writes to standard error, as `print` does. */
export function tell(text: string): void {
  process.stderr.write(printable(text));
}

/**
 * Decides what a failing output stream means. A reader of results that went away (`| head`) ends the process quietly, with the exit code so far; results that
 * cannot be written (a full disk) are an error. Without standard error, work goes on: what it shows is not what was asked for.
 */
export function guardOutput(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit();
    tell(`error: ${ioError('standard output', 'write', error).message}\n`);
    process.exit(EXIT.someFailed);
  });
  process.stderr.on('error', () => {});
}
