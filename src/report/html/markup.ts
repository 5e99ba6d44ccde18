import { printable } from '../../core/printable.ts';

/** Markup that may be put into a page as it is. Made only here and by `html`, so that text from records cannot become markup. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Value = string | number | Markup | null | readonly Markup[];

/** A template whose values are escaped, unless they are markup already. */
export function html(parts: TemplateStringsArray, ...values: readonly Value[]): Markup {
  return new Markup(parts.reduce((text, part, i) => text + (i === 0 ? '' : render(values[i - 1] ?? null)) + part, ''));
}

/** Text with the five markup characters escaped, and shown where a page would obey it (marks of writing direction, control characters). */
export function escapeText(text: string): string {
  return printable(text)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

/** JSON for a script element: no `</script>`, no `<!--`, and its text printable also once a script has parsed it. */
export function jsonScript(value: unknown): Markup {
  const text = JSON.stringify(value, (_, part: unknown) => (typeof part === 'string' ? printable(part) : part));
  return new Markup(text.replaceAll('<', '\\u003c'));
}

function render(value: Value): string {
  if (value === null) return '';
  if (value instanceof Markup) return value.text;
  if (typeof value === 'object') return value.map((markup) => markup.text).join('');
  return escapeText(String(value));
}
