/**
 * Characters that must not reach a terminal or a page unescaped: control characters (C0 except tab and newline, DEL, C1), which move the
 * cursor and switch colours; marks and overrides of writing direction, which make text look like other text; and separators that some
 * programs take for a newline.
 */
const UNPRINTABLE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/**
 * The text with every character that a terminal or a page would obey written as an escape, such as `\u001b`. JSON text keeps its meaning.
 */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** As `printable`, on one line. */
export function printableLine(text: string): string {
  return printable(text.replace(/\r\n|[\r\n\t]/g, ' '));
}
