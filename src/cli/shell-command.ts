/** A word of characters that have no special meaning in a POSIX shell. */
const PLAIN = /^[\w@%+=:,./-]+$/;

/** The arguments as one line, quoted so that a POSIX shell splits it into the same arguments again. */
export function shellCommand(args: readonly string[]): string {
  return args.map((arg) => (PLAIN.test(arg) ? arg : `'${arg.replaceAll("'", "'\\''")}'`)).join(' ');
}
