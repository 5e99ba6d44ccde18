import { fileURLToPath } from 'node:url';
import { invalidArgument } from '../../core/errors.ts';

const BUNDLED = 'bundled:';
/** Models that come with moabench: each is a folder of `models/` in the package. */
const NAMES = ['reference'];

/** The model that comes with moabench, as a path for suites and `loadModel`. */
export const BUNDLED_MODEL = `${BUNDLED}${NAMES[0]}`;

/**
 * The path of a model with `bundled:<name>` replaced by the folder in the package, which is found wherever a command runs. Others stay as they are.
 * @throws MoaError INVALID_ARGUMENT for a name that is not bundled.
 */
export function modelPath(path: string): string {
  if (!path.startsWith(BUNDLED)) return path;
  const name = path.slice(BUNDLED.length);
  if (!NAMES.includes(name)) throw invalidArgument(`one of ${NAMES.join(', ')}`, BUNDLED, name);
  return fileURLToPath(new URL(`../../../models/${name}`, import.meta.url));
}
