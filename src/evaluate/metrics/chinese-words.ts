import { createRequire } from 'node:module';
import { MoaError } from '../../core/errors.ts';
import { SPACE } from './python-text.ts';

/**
 * Runs of the characters among which jieba 0.42.1 looks for words; all other characters stand alone. The package would look among more
 * (rare characters outside this range).
 */
const WORD_BLOCKS = /[\u4E00-\u9FD5a-zA-Z0-9+#&._%-]+/g;
const SINGLE = new RegExp(`\\r\\n|[${SPACE}]|[^]`, 'gu');
/** The pattern by which jieba splits text between Chinese characters. The package leaves such pieces together (`50%2023`). */
const LATIN_PIECES = /([a-zA-Z0-9]+(?:\.\d+)?%?)/;
const LATIN = /^[!-~]+$/;
/** The words of jieba's dictionary without a Chinese character. */
const LATIN_WORDS: ReadonlySet<string> = new Set(['AT&T', 'C#', 'C++', 'c#', 'c++']);

/** The part of the package that is used; its own types would be missing where it is not installed. */
interface JiebaPackage {
  readonly Jieba: { withDict(dict: Uint8Array): { cut(text: string, hmm: boolean): string[] } };
}
type Cut = (block: string) => readonly string[];
type Loaded = { readonly cut: Cut } | { readonly failure: string };
let loaded: Loaded | undefined;

/** Why Chinese text can't be cut here, or null. The segmenter is an optional package with a binary per platform. */
export function chineseUnavailable(): string | null {
  loaded ??= loadJieba(createRequire(import.meta.url));
  return 'failure' in loaded ? loaded.failure : null;
}

/**
 * The words of a Chinese text, as `jieba.cut(text, cut_all=False)` of jieba 0.42.1 gives them; punctuation and white space are words too.
 * Throws UNSUPPORTED where the segmenter is not there.
 */
export function chineseWords(text: string): string[] {
  loaded ??= loadJieba(createRequire(import.meta.url));
  if ('failure' in loaded) {
    throw new MoaError(`Expected a Chinese segmenter for Chinese LongBench data sets but received none: ${loaded.failure}`, {
      code: 'UNSUPPORTED',
      hint: 'Install @node-rs/jieba, or leave these data sets out.',
    });
  }
  const { cut } = loaded;
  const words: string[] = [];
  let end = 0;
  for (const block of text.matchAll(WORD_BLOCKS)) {
    words.push(...(text.slice(end, block.index).match(SINGLE) ?? []), ...latinAsJieba(cut(block[0])));
    end = block.index + block[0].length;
  }
  words.push(...(text.slice(end).match(SINGLE) ?? []));
  return words;
}

/** The words, with each run of Latin words joined and split again as jieba splits it. */
function latinAsJieba(words: readonly string[]): string[] {
  const out: string[] = [];
  let run = '';
  const flush = (): void => {
    out.push(...run.split(LATIN_PIECES).filter((piece) => piece !== ''));
    run = '';
  };
  for (const word of words) {
    if (LATIN.test(word) && !LATIN_WORDS.has(word)) run += word;
    else {
      flush();
      out.push(word);
    }
  }
  flush();
  return out;
}

/** The segmenter from `require`, or why it does not load: no package, or no binary for this platform. */
export function loadJieba(require: (name: string) => unknown): Loaded {
  try {
    const { Jieba } = require('@node-rs/jieba') as JiebaPackage;
    const { dict } = require('@node-rs/jieba/dict') as { readonly dict: Uint8Array };
    const jieba = Jieba.withDict(dict);
    return { cut: (block) => jieba.cut(block, true) };
  } catch (cause) {
    const reason = cause instanceof Error ? (cause.message.split('\n', 1)[0] ?? '') : String(cause);
    return { failure: `the optional package @node-rs/jieba does not load here (${reason})` };
  }
}
