import { invalidArgument } from '../../core/errors.ts';
import { findDigits } from './python-text.ts';

/** LongBench `count_score`: the share of all numbers in the prediction that equal the reference as strings; 0 without numbers. */
export function countScore(prediction: string, reference: string): number {
  const numbers = findDigits(prediction);
  return numbers.length === 0 ? 0 : numbers.filter((number) => number === reference).length / numbers.length;
}

/** LongBench `retrieval_score`: as `countScore`, against the number of the reference "Paragraph <n>". Throws INVALID_ARGUMENT for a reference of another form. */
export function retrievalScore(prediction: string, reference: string): number {
  return numberScore(prediction, reference, { form: /Paragraph (\p{Nd}+)/u, name: '"Paragraph <number>"' });
}

/** LongBench `retrieval_zh_score`: as `retrievalScore`, for a reference "段落<n>". */
export function chineseRetrievalScore(prediction: string, reference: string): number {
  return numberScore(prediction, reference, { form: /段落(\p{Nd}+)/u, name: '"段落<number>"' });
}

function numberScore(prediction: string, reference: string, { form, name }: { form: RegExp; name: string }): number {
  const number = form.exec(reference)?.[1];
  if (number === undefined) throw invalidArgument(name, 'a reference of the retrieval metric', reference);
  return countScore(prediction, number);
}
