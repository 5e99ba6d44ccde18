/**
 * What must not reach a terminal or a page as it is: control characters (C0 but tab and newline, DEL, C1), which move the cursor and switch colours; the marks
 * and overrides of writing direction, which make text read as another; and the separators that some programs take for a newline.
 */
const UNPRINTABLE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/** Text that shows what it says: characters that a terminal or a page would obey appear as `\u001b`. JSON stays the JSON that it was. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** As `printable`, on one line. */
export function printableLine(text: string): string {
  return printable(text.replace(/\r\n|[\r\n\t]/g, ' '));
}
