import { expect, test } from 'vitest';
import { findDigits, parseDigits, roundHalfEven, splitSpaces, strip } from '../../../src/evaluate/metrics/python-text.ts';

test('white space is Python’s', () => {
  expect(splitSpaces('\x1ca\x85b\u3000c\ufeffd \n')).toEqual(['a', 'b', 'c\ufeffd']);
  expect(strip('\x1f\u2028 a b \x85')).toBe('a b');
});

test('digits of any script', () => {
  expect(findDigits('a12 ٣٤ x²')).toEqual(['12', '٣٤']);
  expect(parseDigits('٣٤')).toBe(34n);
  expect(parseDigits('𝟗𝟎𝟡')).toBe(909n);
  expect(parseDigits('00012345678901234567890')).toBe(12345678901234567890n);
});

test('halves round to even on the binary value', () => {
  expect([0.5, 1.5, 2.5, 2.4, 2.6, 99.5].map(roundHalfEven)).toEqual([0, 2, 2, 2, 3, 100]);
});
