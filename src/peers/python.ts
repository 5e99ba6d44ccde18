import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { MoaError } from '../core/errors.ts';

export interface PythonOptions {
  /** The user's choice (`--python`); no other Python ever replaces it. Default: the variable MOABENCH_PYTHON, else a Python on the PATH. */
  readonly asked?: string | undefined;
  /** A module that the Python must have, such as `torch`. */
  readonly module: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** The folder that holds the package moabench_peers; it lies beside src and dist. */
const FOLDER = fileURLToPath(new URL('../../python', import.meta.url));

/** Environment variables with which a Python finds moabench_peers and writes its output unbuffered. */
export function pythonEnvironment(): { readonly [name: string]: string } {
  const { PYTHONPATH: path = '' } = process.env;
  return { PYTHONPATH: path === '' ? FOLDER : `${FOLDER}${delimiter}${path}`, PYTHONUNBUFFERED: '1' };
}

/** The limit for looking for a module. It normally takes far less, because nothing is imported. */
const LOOK_MS = 20_000;

/**
 * Path of the Python in which peers run: the one that was asked for, else the first `python3` on the PATH that has the module.
 * @throws MoaError UNAVAILABLE when the chosen Python lacks the module, or when no Python has it.
 */
export async function findPython({ asked, module, env = process.env }: PythonOptions): Promise<string> {
  const chosen = asked ?? env.MOABENCH_PYTHON;
  if (chosen !== undefined && chosen !== '') {
    const lack = await lackOf(chosen, module);
    if (lack === null) return chosen;
    const name = asked === undefined ? 'MOABENCH_PYTHON' : '--python';
    throw new MoaError(`Expected a Python with ${module} for ${name} but received ${chosen}: ${lack}`, {
      code: 'UNAVAILABLE',
      hint: `Install it there: ${chosen} -m pip install ${module}`,
    });
  }
  const found = pythons(env.PATH ?? '');
  for (const python of found) if ((await lackOf(python, module)) === null) return python;
  throw new MoaError(
    `Expected a python3 with ${module} on the PATH but found ${found.length === 0 ? 'no python3' : `only ${found.join(', ')}`}`,
    {
      code: 'UNAVAILABLE',
      hint: `Install it (python3 -m pip install ${module}), or name a Python that has it with --python or MOABENCH_PYTHON.`,
    },
  );
}

function pythons(path: string): string[] {
  return path
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, 'python3'))
    .filter((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** Why this Python cannot be used; null when it can. */
async function lackOf(python: string, module: string): Promise<string | null> {
  const code = `import importlib.util, sys; sys.exit(0 if importlib.util.find_spec(sys.argv[1]) else 3)`;
  try {
    await promisify(execFile)(python, ['-c', code, module], { timeout: LOOK_MS });
    return null;
  } catch (error) {
    return (error as { code?: unknown }).code === 3 ? `it has no ${module}` : 'it does not run';
  }
}
