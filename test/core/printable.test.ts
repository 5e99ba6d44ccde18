import fc from 'fast-check';
import { expect, test } from 'vitest';
import { printable, printableLine } from '../../src/core/printable.ts';

test.each([
  ['\u001b[31mred\u001b[0m', '\\u001b[31mred\\u001b[0m'],
  ['a\u0007b\rc\u0000', 'a\\u0007b\\u000dc\\u0000'],
  ['\u009b2J \u007f', '\\u009b2J \\u007f'],
  ['moa \u202e05-aom', 'moa \\u202e05-aom'],
  ['\u2066a\u2069\u200fb\u061c', '\\u2066a\\u2069\\u200fb\\u061c'],
  ['line\u2028break\u2029', 'line\\u2028break\\u2029'],
  ['tab\tand\nnewline, é 漢字 👩‍🔬', 'tab\tand\nnewline, é 漢字 👩‍🔬'],
])('%j is shown, not obeyed', (text, shown) => {
  expect(printable(text)).toBe(shown);
});

test('one line stays one line', () => {
  expect(printableLine('a\r\nb\tc\rd\u001b')).toBe('a b c d\\u001b');
});

test('JSON keeps its value', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom('\u001b', '\u202e', '\u2028', '\u0085'), (value, character) => {
      const whole = [value, `a${character}b`];
      const text = printable(JSON.stringify(whole));
      expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(whole)));
      expect(text).not.toContain(character);
    }),
  );
});
