import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { contentHash, sha256 } from '../core/hash.ts';
import { readJson } from '../core/json-file.ts';
import { modelConfig, modelFolder } from './load.ts';

/** Files beside the weights that decide what is computed, token ids and prompts; the chat template is a part of its own (TemplateFacts). */
const FILES = ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json', 'added_tokens.json'] as const;

/**
 * The hash of every part of a model folder that decides a number, by the name of the part, so that a change can be named. `weightsHash` is
 * the model's. Errors as `loadModel`.
 */
export function modelIdentity(path: string, weightsHash: string): Readonly<Record<string, string>> {
  const folder = modelFolder(path);
  const files = FILES.flatMap((name) => (folder !== null && existsSync(join(folder, name)) ? [[name, hashOf(join(folder, name))]] : []));
  return {
    weights: weightsHash,
    ...Object.fromEntries(files),
    'end tokens': endTokens(path),
  };
}

/** The end tokens themselves where they are few, so that a change can be reported with its values; otherwise their hash. */
function endTokens(path: string): string {
  const { eosTokens } = modelConfig(path);
  return eosTokens.length <= 4 ? JSON.stringify(eosTokens) : contentHash(eosTokens);
}

/** The hash of a file. For tokenizer_config.json, it is the hash of its settings without the template, whatever their order and layout. */
function hashOf(path: string): string {
  if (!path.endsWith('tokenizer_config.json')) return sha256(readFileSync(path));
  const { chat_template: _template, ...settings } = readJson(path) as { readonly chat_template?: unknown };
  return contentHash(settings);
}
