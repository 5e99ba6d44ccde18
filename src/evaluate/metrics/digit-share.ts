import { invalidArgument } from '../../core/errors.ts';
import { findDigits } from './python-text.ts';

/** LongBench `count_score`: the share of all numbers in the prediction that equal the reference as strings; 0 without numbers. */
export function countScore(prediction: string, reference: string): number {
  const numbers = findDigits(prediction);
  return numbers.length === 0 ? 0 : numbers.filter((number) => number === reference).length / numbers.length;
}

/** LongBench `retrieval_score`: as `countScore`, against the number of the reference "Paragraph <n>". Throws INVALID_ARGUMENT for a reference of another form. */
export function retrievalScore(prediction: string, reference: string): number {
  const paragraph = /Paragraph (\p{Nd}+)/u.exec(reference)?.[1];
  if (paragraph === undefined) throw invalidArgument('"Paragraph <number>"', 'a reference of the retrieval metric', reference);
  return countScore(prediction, paragraph);
}
