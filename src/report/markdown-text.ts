import { printable, printableLine } from '../core/printable.ts';

/** What Markdown, with GitHub's additions, reads as markup anywhere in a line. */
const MARKUP = /[\\`*_<>|~&$]/g;
/** The end of a link's, an image's or a definition's text. Brackets of intervals stay as they are. */
const LINK_END = /\](?=[([:])/g;
/** What GitHub makes a link of where it stands bare. */
const ADDRESS = /:(?=\/\/)|(?<=www)\.|(?<=\w)@(?=\w)/gi;
/** Markup at the start of a line: headings, lists, lines under headings. */
const LINE_START = /^\s*(?:\d+(?=[.)])|(?=[-+#=:]))/;

/** Text within a line (a cell of a table), which shows as it is: no link, image, code, HTML, new cell or new line comes of it. */
export function inline(value: string): string {
  return printableLine(value)
    .replace(MARKUP, '\\$&')
    .replace(LINK_END, '\\]')
    .replace(ADDRESS, (mark) => (mark === ':' ? ':\\' : `\\${mark}`));
}

/** As `inline`, for text that a line or a list item may start with. */
export function text(value: string): string {
  return inline(value).replace(LINE_START, '$&\\');
}

/** Text as a block of code, fenced by more backticks than it has in a row. */
export function fenced(value: string, language: string): string {
  const runs = Array.from(value.matchAll(/`+/g), ([run]) => run.length);
  const fence = '`'.repeat(runs.reduce((most, run) => Math.max(most, run), 2) + 1);
  return `${fence}${language}\n${printable(value)}\n${fence}`;
}

/** A table; what stands in its cells is text. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(inline).join(' | ')} |`;
  return [line(head), `|${head.map(() => ' --- |').join('')}`, ...rows.map(line)].join('\n');
}
