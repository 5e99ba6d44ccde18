import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers';
import { z } from 'zod';
import { invalidArgument, MoaError } from '../core/errors.ts';
import { sha256 } from '../core/hash.ts';
import { parseJson, parseOrThrow, readJsonAs, readText } from '../core/json-file.ts';

/** The parts without which no tokenizer works; the library reads the rest itself. */
const tokenizerSchema = z.looseObject({
  added_tokens: z.array(z.looseObject({ id: z.int().min(0), content: z.string() })).default([]),
  model: z.looseObject({
    // Older files leave the type out; an unknown one would be read by guessing.
    type: z.enum(['BPE', 'WordPiece', 'WordLevel', 'Unigram']).nullish(),
    vocab: z.union([z.record(z.string(), z.int().min(0)), z.array(z.tuple([z.string(), z.number()])).nonempty()]),
  }),
});

/** Text to token ids and back, from a Hugging Face tokenizer.json. */
export class Tokenizer {
  /** sha256 of tokenizer.json. */
  readonly hash: string;
  /** One more than the largest id. */
  readonly vocabSize: number;
  readonly #source: string;
  readonly #tokenizer: HuggingFaceTokenizer;

  private constructor(text: string, config: object, source: string) {
    const json = parseOrThrow(tokenizerSchema, parseJson(text, source), { what: 'a tokenizer', path: source });
    this.hash = sha256(text);
    this.#source = source;
    this.#tokenizer = guarded(source, () => new HuggingFaceTokenizer(json, config));
    const vocab = json.model.vocab;
    const ids = Array.isArray(vocab) ? [vocab.length - 1] : Object.values(vocab);
    this.vocabSize = 1 + [...ids, ...json.added_tokens.map((t) => t.id)].reduce((a, b) => Math.max(a, b), -1);
    guarded(source, () => this.#tokenizer.encode('probe 1', { add_special_tokens: false }));
  }

  /** Reads `folder`/tokenizer.json (and tokenizer_config.json when there). @throws MoaError NOT_FOUND, IO or INVALID_FILE. */
  static read(folder: string): Tokenizer {
    const configPath = join(folder, 'tokenizer_config.json');
    const config = existsSync(configPath) ? readJsonAs(z.looseObject({}), configPath, { what: 'a tokenizer configuration' }) : {};
    const path = join(folder, 'tokenizer.json');
    return new Tokenizer(readText(path), config, path);
  }

  /** From tokenizer.json's text; `source` names it in messages. @throws MoaError INVALID_FILE. */
  static parse(text: string, source: string, config: object = {}): Tokenizer {
    return new Tokenizer(text, config, source);
  }

  /** Token ids of a text. Nothing is added; the strings of special tokens in the text become those tokens. */
  encode(text: string): Int32Array {
    if (text === '') return new Int32Array(0);
    const { ids } = guarded(this.#source, () => this.#tokenizer.encode(text, { add_special_tokens: false }));
    return Int32Array.from(ids);
  }

  /** Text of token ids, without tidying of spaces. Special tokens are left out unless `skipSpecial` is false. */
  decode(ids: ArrayLike<number>, options: { readonly skipSpecial?: boolean } = {}): string {
    if (ids.length === 0) return '';
    const list = Array.from(ids);
    for (const id of list) {
      if (!Number.isInteger(id) || id < 0) throw invalidArgument('token ids (integers from 0)', 'Tokenizer.decode', id);
    }
    return guarded(this.#source, () =>
      this.#tokenizer.decode(list, { skip_special_tokens: options.skipSpecial ?? true, clean_up_tokenization_spaces: false }),
    );
  }
}

/** The library throws plain errors on content it cannot use; they become one INVALID_FILE that names the file. */
function guarded<T>(source: string, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    if (cause instanceof MoaError) throw cause;
    throw new MoaError(`Expected a usable tokenizer in ${source} but it failed: ${(cause as Error).message}`, {
      code: 'INVALID_FILE',
      cause,
    });
  }
}
