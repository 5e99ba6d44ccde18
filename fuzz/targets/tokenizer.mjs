// A tokenizer.json and a text: what is accepted encodes and decodes, with ids within the vocabulary.
import { Tokenizer } from '../../dist/model/format/tokenizer/tokenizer.js';
import { orRefused, textParts } from './only-moa-errors.mjs';

/** Bytes of a tokenizer.json, a zero byte, a text. */
export function fuzz(data) {
  const [json, text] = textParts(data, 2);
  return orRefused(() => {
    const tokenizer = Tokenizer.parse(json, 'tokenizer.json');
    const ids = tokenizer.encode(text);
    for (const id of ids) {
      if (id < 0 || id >= tokenizer.vocabSize) throw new Error(`The id ${id} in a vocabulary of ${tokenizer.vocabSize}`);
    }
    tokenizer.decode(ids);
    return ids;
  });
}
