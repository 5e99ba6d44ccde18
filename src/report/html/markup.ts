import { printable } from '../../core/printable.ts';

/**
 * Markup that is put into a page as it is. Text from records must not become markup, so it goes through `html` or `jsonScript`, which escape it. Other code makes
 * `Markup` only from style sheets and scripts that belong to this program.
 */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Value = string | number | Markup | null | readonly Markup[];

/** The markup of a template. Its values are escaped, unless they are already markup. */
export function html(parts: TemplateStringsArray, ...values: readonly Value[]): Markup {
  return new Markup(parts.reduce((text, part, i) => text + (i === 0 ? '' : render(values[i - 1] ?? null)) + part, ''));
}

/** Text with the five markup characters escaped. Characters that a page would obey (marks of writing direction, control characters) are made visible. */
export function escapeText(text: string): string {
  return printable(text)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

/** JSON for a script element. It has no `</script>` and no `<!--`, and its texts are printable also after a script has parsed them. */
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
