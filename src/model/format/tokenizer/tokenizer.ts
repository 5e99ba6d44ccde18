import { join } from 'node:path';
import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers';
import { z } from 'zod';
import { describe, invalidArgument, MoaError } from '../../../core/errors.ts';
import { sha256 } from '../../../core/hash.ts';
import { parseJson, parseOrThrow } from '../../../core/json-file.ts';
import { readModelText } from '../model-files.ts';
import { withinTime } from '../time-limit.ts';
import { readTokenizerConfig, specialTokens, type TokenizerConfig } from './special-tokens.ts';
import { checkTokenizerParts } from './tokenizer-limits.ts';

/** Ids up to the most rows that a model's embedding may have. Much larger ones would overflow where tokens are 32-bit integers. */
const id = z
  .int()
  .min(0)
  .max(2 ** 24 - 1);

/** The parts without which no tokenizer works; the library reads the rest itself. */
const tokenizerSchema = z.looseObject({
  added_tokens: z.array(z.looseObject({ id, content: z.string() })).default([]),
  model: z.looseObject({
    // Older files leave the type out; an unknown one would be read by guessing.
    type: z.enum(['BPE', 'WordPiece', 'WordLevel', 'Unigram']).nullish(),
    vocab: z.union([z.record(z.string(), id), z.array(z.tuple([z.string(), z.number()])).nonempty()]),
  }),
});

/**
 * Maximum number of milliseconds that a tokenizer may take: to be made, for any text, and in addition for every character of a text. Known
 * tokenizers read 1 MB in about a second.
 */
const LOAD_MS = 60_000;
const TEXT_MS = 10_000;
const CHARACTER_MS = 0.02;

/** Maximum number of tokens that a tokenizer may put before a prompt. Known ones put one BOS, or one or two other tokens. */
const MAX_PREFIX_TOKENS = 8;

/**
 * Texts to put before a continuation that would merge with the end of its own prompt. The first one with which it does not merge is used.
 */
const ANCHORS = ['\n', '.', 'a', '0', '"'];

/** Text to token ids and back, from a Hugging Face tokenizer.json. */
export class Tokenizer {
  /**
   * Hash of everything that decides ids and text: tokenizer.json, and the settings of tokenizer_config.json and special_tokens_map.json.
   */
  readonly hash: string;
  /** One more than the largest id. */
  readonly vocabSize: number;
  /** What the tokenizer itself puts before a text: its BOS, or nothing. */
  readonly promptPrefix: readonly number[];
  readonly #source: string;
  readonly #tokenizer: HuggingFaceTokenizer;
  /** Whether every text takes time in proportion to its length. Otherwise every call has a time limit. */
  readonly #isPlain: boolean;

  /** Time limit for any text, however short. */
  readonly #textMs: number;

  private constructor(text: string, { config, tokens, source, textMs = TEXT_MS }: TokenizerFiles) {
    const json = parseOrThrow(tokenizerSchema, parseJson(text, source), { what: 'a tokenizer', path: source });
    const { chat_template: _template, ...settings } = config;
    this.#source = source;
    this.#textMs = textMs;
    this.#isPlain = checkTokenizerParts(json, source).isPlain;
    this.#tokenizer = this.#guarded(LOAD_MS, () => new HuggingFaceTokenizer(json, settings));
    const vocab = json.model.vocab;
    const ids = Array.isArray(vocab) ? [vocab.length - 1] : Object.values(vocab);
    this.vocabSize = 1 + [...ids, ...json.added_tokens.map((t) => t.id)].reduce((a, b) => Math.max(a, b), -1);
    this.promptPrefix = this.#ownPrefix(json, settings.add_bos_token ?? false, tokens.bos_token);
    this.hash = guarded(source, () => sha256(JSON.stringify([sha256(text), settings, tokens, this.promptPrefix])));
  }

  /** Reads `folder`/tokenizer.json, and tokenizer_config.json and special_tokens_map.json when there. @throws MoaError NOT_FOUND, IO or INVALID_FILE. */
  static read(folder: string): Tokenizer {
    const config = readTokenizerConfig(folder);
    const source = join(folder, 'tokenizer.json');
    return new Tokenizer(readModelText(folder, 'tokenizer.json'), { config, tokens: specialTokens(folder, config), source });
  }

  /** From tokenizer.json's text; `source` names it in messages. @throws MoaError INVALID_FILE. */
  static parse(text: string, source: string, limits: { readonly textMs?: number } = {}): Tokenizer {
    return new Tokenizer(text, { config: {}, tokens: {}, source, ...limits });
  }

  /** Token ids of a text. Nothing is added; the strings of special tokens in the text become those tokens. */
  encode(text: string): Int32Array {
    if (text === '') return new Int32Array(0);
    const { ids } = this.#guarded(this.#textMs + CHARACTER_MS * text.length, () =>
      this.#tokenizer.encode(text, { add_special_tokens: false }),
    );
    return this.#checked(ids);
  }

  /** Token ids of a whole prompt: as `encode`, after the tokenizer's own BOS where the text does not begin with it. */
  encodePrompt(text: string): Int32Array {
    const ids = this.encode(text);
    return this.promptPrefix.length === 0 || ids[0] === this.promptPrefix[0] ? ids : Int32Array.from([...this.promptPrefix, ...ids]);
  }

  /**
   * Token ids of an answer as they follow its prompt; `promptTokens` are those of `encodePrompt(prompt)`. The answer alone may have other
   * ids, because SentencePiece puts a '▁' before the start of a text.
   */
  encodeContinuation(prompt: string, answer: string, promptTokens: Int32Array = this.encodePrompt(prompt)): Int32Array {
    const behind = (before: string, ids: Int32Array): Int32Array | null => {
      const whole = this.encodePrompt(before + answer);
      return ids.every((id, i) => id === whole[i]) ? whole.subarray(ids.length) : null;
    };
    const own = behind(prompt, promptTokens);
    if (own !== null) return own;
    // The end of the prompt and the start of the answer merge into one token, which belongs to neither of them.
    for (const anchor of ANCHORS) {
      const ids = behind(anchor, this.encodePrompt(anchor));
      if (ids !== null) return ids;
    }
    return this.encode(answer);
  }

  /** Text of token ids, without tidying of spaces. Special tokens are left out unless `skipSpecial` is false. */
  decode(ids: ArrayLike<number>, options: { readonly skipSpecial?: boolean } = {}): string {
    if (ids.length === 0) return '';
    const list = Array.from(ids);
    for (const id of list) {
      if (!Number.isInteger(id) || id < 0) throw invalidArgument('token ids (integers from 0)', 'Tokenizer.decode', id);
    }
    return this.#guarded(this.#textMs + list.length, () =>
      this.#tokenizer.decode(list, { skip_special_tokens: options.skipSpecial ?? true, clean_up_tokenization_spaces: false }),
    );
  }

  /** The ids, checked. Where the file lacks its own unknown token, the library gives undefined or an id outside the vocabulary. */
  #checked(ids: readonly (number | undefined)[]): Int32Array {
    const wrong = ids.find((id) => id === undefined || !(Number.isInteger(id) && id >= 0 && id < this.vocabSize));
    if (wrong === undefined && !ids.includes(undefined)) return Int32Array.from(ids as readonly number[]);
    throw new MoaError(`Expected token ids below ${this.vocabSize} from ${this.#source} but received ${describe(wrong)}`, {
      code: 'INVALID_FILE',
      hint: 'Its unknown token (unk_token, unk_id) is not in its vocabulary.',
    });
  }

  /**
   * What tokenizer.json's post-processor puts before a text, as in transformers. Without a post-processor, `add_bos_token: true` of
   * tokenizer_config.json counts.
   */
  #ownPrefix(json: Readonly<Record<string, unknown>>, addBos: boolean, bosToken: string | undefined): readonly number[] {
    if (!json.post_processor) {
      const bos = addBos && bosToken !== undefined ? this.encode(bosToken) : [];
      return bos.length === 1 ? [...bos] : [];
    }
    const probe = 'probe 1';
    const [plain, whole] = this.#guarded(LOAD_MS, (): readonly [number[], number[]] => [
      this.#tokenizer.encode(probe, { add_special_tokens: false }).ids,
      this.#tokenizer.encode(probe, { add_special_tokens: true }).ids,
    ]);
    const start = whole.findIndex((_, at) => plain.every((id, i) => id === whole[at + i]));
    if (start > MAX_PREFIX_TOKENS) {
      throw new MoaError(`Expected at most ${MAX_PREFIX_TOKENS} tokens before a text in ${this.#source} but received ${start}`, {
        code: 'INVALID_FILE',
      });
    }
    return whole.slice(0, Math.max(0, start));
  }

  #guarded<T>(milliseconds: number, run: () => T): T {
    return guarded(this.#source, () =>
      this.#isPlain ? run() : withinTime({ milliseconds: Math.ceil(milliseconds), what: `the tokenizer of ${this.#source}` }, run),
    );
  }
}

interface TokenizerFiles {
  readonly config: TokenizerConfig;
  /** Texts of special tokens by name. */
  readonly tokens: Readonly<Record<string, string>>;
  readonly source: string;
  readonly textMs?: number;
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
