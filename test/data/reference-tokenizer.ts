import { readFileSync } from 'node:fs';
import { Tokenizer } from '@huggingface/tokenizers';

const json: unknown = JSON.parse(readFileSync(new URL('../../models/reference/tokenizer.json', import.meta.url), 'utf8'));
const tokenizer = new Tokenizer(json as object, {});

/** The reference model's tokenizer, without special tokens of its own. */
export const referenceTokenizer = {
  encode: (text: string): number[] => tokenizer.encode(text, { add_special_tokens: false }).ids,
  decode: (ids: ArrayLike<number>): string => tokenizer.decode(Array.from(ids), { skip_special_tokens: true }),
};
