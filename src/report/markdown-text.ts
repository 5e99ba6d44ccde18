import { printable, printableLine } from '../core/printable.ts';

/** Characters that Markdown, with GitHub's additions, reads as markup anywhere in a line. */
const MARKUP = /[\\`*_<>|~&$]/g;
/** A closing bracket that ends the text of a link, an image or a definition. The brackets of intervals are not changed. */
const LINK_END = /\](?=[([:])/g;
/** The marks in web and mail addresses by which GitHub turns them into links. */
const ADDRESS = /:(?=\/\/)|(?<=www)\.|(?<=\w)@(?=\w)/gi;
/** Markup at the start of a line: headings, lists, lines under headings. */
const LINE_START = /^\s*(?:\d+(?=[.)])|(?=[-+#=:]))/;

/** Text for the inside of a line, such as a table's cell. It is shown as it is: it cannot become a link, an image, code, HTML, a new cell or a new line. */
export function inline(value: string): string {
  return printableLine(value)
    .replace(MARKUP, '\\$&')
    .replace(LINK_END, '\\]')
    .replace(ADDRESS, (mark) => (mark === ':' ? ':\\' : `\\${mark}`));
}

/** As `inline`, but also safe at the start of a line or of a list item. */
export function text(value: string): string {
  return inline(value).replace(LINE_START, '$&\\');
}

/** Text as a block of code. The fence has more backticks than the longest run of them in the text. */
export function fenced(value: string, language: string): string {
  const runs = Array.from(value.matchAll(/`+/g), ([run]) => run.length);
  const fence = '`'.repeat(runs.reduce((most, run) => Math.max(most, run), 2) + 1);
  return `${fence}${language}\n${printable(value)}\n${fence}`;
}

/** A Markdown table. Its cells are shown as plain text. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(inline).join(' | ')} |`;
  return [line(head), `|${head.map(() => ' --- |').join('')}`, ...rows.map(line)].join('\n');
}
