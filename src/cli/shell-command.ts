/** Characters that no POSIX shell takes for anything but themselves. */
const PLAIN = /^[\w@%+=:,./-]+$/;

/** Arguments as one line that a POSIX shell splits into them again. */
export function shellCommand(args: readonly string[]): string {
  return args.map((arg) => (PLAIN.test(arg) ? arg : `'${arg.replaceAll("'", "'\\''")}'`)).join(' ');
}
