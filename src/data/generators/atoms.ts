import type { Rng } from '../../core/rng.ts';
import type { Prose } from '../prose.ts';

/** Source of the names, keys and values that facts are made of. */
export interface AtomSource {
  readonly rng: Rng;
  readonly prose: Prose;
}

/** Two words with a hyphen: a line's index or a needle's key. */
export function wordKey({ rng, prose }: AtomSource): string {
  return `${rng.pick(prose.words)}-${rng.pick(prose.words)}`;
}

const ONSETS = [...'bdfgklmnprstvz'];
const VOWELS = [...'aeiou'];
/** Half of the syllables are open. */
const CODAS = ['', '', 'n', 'r', 'l', 's'];

/** An invented lower-case word of `count` syllables. */
export function syllables(rng: Rng, count: number): string {
  return Array.from({ length: count }, () => rng.pick(ONSETS) + rng.pick(VOWELS) + rng.pick(CODAS)).join('');
}

export function placeName(rng: Rng): string {
  return capitalized(syllables(rng, rng.int(2, 3)));
}

export function personName({ rng, prose }: AtomSource): string {
  return `${rng.pick(prose.firstNames)} ${capitalized(syllables(rng, 2))}`;
}

/** First letter in upper case, all others in lower case. */
export function capitalized(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1).toLowerCase();
}

/** `count` distinct draws, in the order drawn. */
export function distinct(count: number, draw: () => string): string[] {
  const seen = new Set<string>();
  while (seen.size < count) seen.add(draw());
  return [...seen];
}
