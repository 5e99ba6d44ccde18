import { existsSync, realpathSync } from 'node:fs';
import { basename, dirname, join, resolve, sep } from 'node:path';
import type { z } from 'zod';
import { MoaError } from '../../core/errors.ts';
import { parseJson, parseOrThrow } from '../../core/json-file.ts';
import { readInputText } from '../../core/read-input.ts';

/**
 * Maximum number of bytes of each file, far above those of any known model. A larger file cannot be the one that is meant, and reading it
 * would fill memory.
 */
const MAX_BYTES = {
  'config.json': 2 ** 20,
  'generation_config.json': 2 ** 20,
  'special_tokens_map.json': 2 ** 20,
  'chat_template.jinja': 2 ** 19,
  'tokenizer_config.json': 2 ** 25,
  'model.safetensors.index.json': 2 ** 26,
  'tokenizer.json': 2 ** 26,
} as const;
type ModelText = keyof typeof MAX_BYTES;

/** A file of Hugging Face's cache lies in blobs/, named by its git or sha256 hash, and snapshots/<revision>/ has a link to it. */
const BLOB_NAME = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/;

/**
 * The path of a file of a model folder, links resolved, or null when it is not there. A link to a file outside the folder is refused,
 * because the file's content would end up in prompts and records. Links of Hugging Face's cache are the one exception.
 * @throws MoaError INVALID_FILE.
 */
export function modelFile(folder: string, name: string): string | null {
  const path = join(folder, name);
  if (!existsSync(path)) return null;
  const root = realpathSync(folder);
  const real = realpathSync(path);
  if (real.startsWith(root.endsWith(sep) ? root : `${root}${sep}`) || isCachedBlob(root, real)) return real;
  throw new MoaError(`Expected ${name} in the model folder ${folder} but received a link to a file outside of it`, {
    code: 'INVALID_FILE',
    hint: 'Copy the file into the folder; only the links of the Hugging Face cache (snapshots to blobs) are followed.',
  });
}

function isCachedBlob(root: string, real: string): boolean {
  return basename(dirname(root)) === 'snapshots' && dirname(real) === resolve(root, '../../blobs') && BLOB_NAME.test(basename(real));
}

/** A text file of a model folder. @throws MoaError NOT_FOUND, IO, INVALID_FILE (no regular file, too large, a link out of the folder). */
export function readModelText(folder: string, name: ModelText): string {
  return readInputText(modelFile(folder, name) ?? join(folder, name), { what: 'a file of a model', maxBytes: MAX_BYTES[name] });
}

/** A JSON file of a model folder as the schema's type. Errors as `readModelText`, and INVALID_FILE when it is malformed. */
export function readModelJson<S extends z.ZodType>(schema: S, folder: string, name: ModelText, what: string): z.output<S> {
  const path = join(folder, name);
  return parseOrThrow(schema, parseJson(readModelText(folder, name), path), { what, path });
}

/** A config.json of any name, which is read because the user named it. Errors as `readModelText`. */
export function readConfigFile(path: string): unknown {
  return parseJson(readInputText(path, { what: 'a model configuration', maxBytes: MAX_BYTES['config.json'] }), path);
}
