import { lstatSync } from 'node:fs';
import { isAbsolute, join, normalize, sep } from 'node:path';
import { MoaError } from './errors.ts';

/**
 * The path `folder/relative`, checked to stay inside a folder whose content may come from a stranger: no part of it below `folder` may be a
 * symbolic link. Parts that do not exist yet are accepted. `folder` itself may be a link, because the user chose it.
 * @throws MoaError INVALID_FILE for a link; INVALID_ARGUMENT for a path that leads out of the folder.
 */
export function insidePath(folder: string, relative: string): string {
  const parts = normalize(relative).split(sep);
  if (isAbsolute(relative) || parts.includes('..'))
    throw new MoaError(`Expected a path inside ${folder} but received ${relative}`, { code: 'INVALID_ARGUMENT' });
  let path = folder;
  for (const part of parts) {
    path = join(path, part);
    if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() !== true) continue;
    throw new MoaError(`Expected no symbolic link inside ${folder} but received one for ${path}`, {
      code: 'INVALID_FILE',
      hint: 'What it points to is neither read nor written. Remove the link, or choose another folder.',
    });
  }
  return path;
}
