import { strip } from './python-text.ts';

/** 1 if prediction and reference are the same text but for white space around them, else 0. */
export function exactMatch(prediction: string, reference: string): number {
  return strip(prediction) === strip(reference) ? 1 : 0;
}
