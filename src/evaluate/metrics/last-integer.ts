import { invalidArgument } from '../../core/errors.ts';
import { findDigits, parseDigits } from './python-text.ts';

/** The last integer of a text, its sign ignored; -1 where there is none (LongEval, `test_lines_one_sample`). */
function lastInteger(text: string): bigint {
  const digits = findDigits(text).at(-1);
  return digits === undefined ? -1n : parseDigits(digits);
}

/** 1 if the last integer of the prediction equals the reference (a decimal string), else 0. Throws INVALID_ARGUMENT for a reference that is no integer. */
export function lastIntegerMatch(prediction: string, reference: string): number {
  if (!/^-?[0-9]+$/.test(reference)) throw invalidArgument('a decimal integer', 'a reference of the last-integer metric', reference);
  return lastInteger(prediction) === BigInt(reference) ? 1 : 0;
}
