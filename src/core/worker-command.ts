import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * The command that runs the module `name` beside the module at `url` as this process is run: from dist as JavaScript; from src with the hooks
 * that tests run with.
 */
export function workerCommand(url: string, name: string): string[] {
  const flags = process.execArgv.filter((flag) => !flag.startsWith('--inspect')); // a port that is taken already
  return [process.execPath, ...flags, fileURLToPath(new URL(`./${name}${extname(url)}`, url))];
}
