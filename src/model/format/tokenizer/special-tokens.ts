import { z } from 'zod';
import { modelFile, readModelJson } from '../model-files.ts';

const token = z.union([z.string(), z.looseObject({ content: z.string() }).transform((t) => t.content)]).nullish();
const NAMES = ['bos_token', 'eos_token', 'unk_token', 'sep_token', 'pad_token', 'cls_token', 'mask_token'] as const;
const tokensShape = Object.fromEntries(NAMES.map((name) => [name, token])) as Record<(typeof NAMES)[number], typeof token>;
const mapSchema = z.looseObject(tokensShape);

const configSchema = z.looseObject({
  ...tokensShape,
  chat_template: z.union([z.string(), z.array(z.looseObject({ name: z.string(), template: z.string() }))]).nullish(),
  add_bos_token: z.boolean().nullish(),
});

/** A model folder's tokenizer_config.json, empty where there is none. */
export type TokenizerConfig = z.output<typeof configSchema>;

/** The tokenizer_config.json of a model folder. @throws MoaError INVALID_FILE. */
export function readTokenizerConfig(folder: string): TokenizerConfig {
  const name = 'tokenizer_config.json';
  return modelFile(folder, name) === null ? {} : readModelJson(configSchema, folder, name, 'a tokenizer configuration');
}

/**
 * The texts of special tokens by name (bos_token, eos_token, ...), from tokenizer_config.json, or from special_tokens_map.json where the
 * former lacks one. @throws MoaError INVALID_FILE.
 */
export function specialTokens(folder: string, config: TokenizerConfig): Readonly<Record<string, string>> {
  const name = 'special_tokens_map.json';
  const map = modelFile(folder, name) === null ? {} : readModelJson(mapSchema, folder, name, 'a map of special tokens');
  const tokens: Record<string, string> = {};
  for (const name of NAMES) {
    const text = config[name] ?? map[name];
    if (typeof text === 'string') tokens[name] = text;
  }
  return tokens;
}
