import { readdirSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** In the package, wherever the command runs. */
const FOLDER = fileURLToPath(new URL('../../suites', import.meta.url));
const EXTENSION = '.yaml';

/** Names of the suites that come with moabench, in order. */
export function bundledSuites(): readonly string[] {
  return readdirSync(FOLDER)
    .filter((file) => extname(file) === EXTENSION)
    .map((file) => basename(file, EXTENSION))
    .sort();
}

/** The file of a suite: a path as it is, or the bundled suite of that name. A file that has such a name is meant by its path (`./quick`). */
export function suiteFile(nameOrPath: string): string {
  return bundledSuites().includes(nameOrPath) ? join(FOLDER, `${nameOrPath}${EXTENSION}`) : nameOrPath;
}

/** What to do where a suite is not found at a path: the bundled suite that its file name names, or where names are listed. */
export function suiteHint(path: string): string {
  const name = basename(path, EXTENSION);
  return bundledSuites().includes(name)
    ? `The suite ${name} that comes with moabench is named without a path: \`moabench run ${name}\`.`
    : 'Check the path. `moabench suites` lists the suites that come with moabench.';
}
