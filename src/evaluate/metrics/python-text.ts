/**
 * Python's text rules where they differ from JavaScript's; the official scores depend on them.
 * White space has U+001C..U+001F and U+0085 but not U+FEFF; words and digits are Unicode-wide; rounding is half to even on the binary value.
 */
export const SPACE = '\\t\\n\\v\\f\\r\\x1c-\\x1f \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';
const SPACES = new RegExp(`[${SPACE}]+`, 'u');
const OUTER_SPACES = new RegExp(`^[${SPACE}]+|[${SPACE}]+$`, 'gu');
const DIGITS = /\p{Nd}+/gu;
/** What `\w` matches in a Python pattern: `str.isalnum()` or the underscore. A combining mark is no word character. */
const WORD = '[\\p{L}\\p{N}_]';

/** `text.split()`: pieces between runs of white space, none of them empty. */
export function splitSpaces(text: string): string[] {
  return text.split(SPACES).filter((piece) => piece !== '');
}

/** `text.strip()`. */
export function strip(text: string): string {
  return text.replace(OUTER_SPACES, '');
}

/** `re.findall(r"\d+", text)`: maximal runs of decimal digits of any script. */
export function findDigits(text: string): string[] {
  return text.match(DIGITS) ?? [];
}

/** A pattern that matches `body` between Unicode-aware word boundaries (`\b(body)\b`); `body` must start and end with word characters. */
export function wholeWord(body: string): RegExp {
  return new RegExp(`(?<!${WORD})(?:${body})(?!${WORD})`, 'gu');
}

/** `int(digits)` for a run of decimal digits of any script. */
export function parseDigits(digits: string): bigint {
  return BigInt(Array.from(digits, (digit) => String(digitValue(digit))).join(''));
}

/** Unicode's decimal digits come in contiguous runs of ten that start at zero; adjacent runs (mathematical digits) keep the period. */
function digitValue(digit: string): number {
  const point = digit.codePointAt(0) as number;
  let start = point;
  while (start > 0 && /\p{Nd}/u.test(String.fromCodePoint(start - 1))) start--;
  return (point - start) % 10;
}

/** `round(value)`: to the nearest integer, halves to even. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
