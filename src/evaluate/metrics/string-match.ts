import { invalidArgument } from '../../core/errors.ts';
import { strip } from './python-text.ts';

/** What RULER's post-processing replaces. */
const CONTROL = /[\x00-\x1f]/g;

/** RULER's post-processing of a prediction: strip, every control character becomes a newline, strip again. */
export function cleanPrediction(prediction: string): string {
  return strip(strip(prediction).replace(CONTROL, '\n'));
}

/** RULER `string_match_all` of one cleaned prediction: the share of references that occur in it, lower-cased, 0..1. */
export function stringMatchAll(prediction: string, references: readonly string[]): number {
  const hits = matches(prediction, references, 'string-match-all');
  return hits.filter(Boolean).length / hits.length;
}

/** RULER `string_match_part` of one cleaned prediction: 1 if any reference occurs in it, lower-cased, else 0. */
export function stringMatchPart(prediction: string, references: readonly string[]): number {
  return matches(prediction, references, 'string-match-part').includes(true) ? 1 : 0;
}

function matches(prediction: string, references: readonly string[], metric: string): boolean[] {
  if (references.length === 0) throw invalidArgument('at least one reference', metric, references);
  const text = prediction.toLowerCase();
  return references.map((reference) => text.includes(reference.toLowerCase()));
}
