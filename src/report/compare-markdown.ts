import type { Comparison, Flip } from '../summary/compare/comparison.ts';
import { numbered, percent } from '../summary/phrases.ts';
import { type ComparisonTable, comparisonTables, flipPlace, regressionsOf, sideLines, tallyOf, VERDICT_WORDS } from './compare-tables.ts';
import { table, text } from './markdown-text.ts';

/** At most so many lost and so many gained samples are listed. The page and JSON have more. */
const MOST_FLIPS = 10;

/** The comparison as Markdown, for a comment on a pull request or for a job's summary: the verdict and the regressions first, then the tables. */
export function comparisonMarkdown(comparison: Comparison): string {
  const { sentence, notes, flips } = comparison;
  const tables = comparisonTables(comparison);
  const blocks = [
    `# ${text(sentence)}`,
    regressionsOf(tables)
      .map((finding) => `- ${text(finding)}`)
      .join('\n'),
    sideLines(comparison)
      .map(([name, line]) => `- **${name}:** ${text(line)}`)
      .join('\n'),
    notes.map((note) => `- ${text(note)}`).join('\n'),
    ...tables.map(tableMarkdown),
    flipList('Samples lost', flips.lost, comparison),
    flipList('Samples gained', flips.gained, comparison),
    howItIsTested(comparison),
  ];
  return `${blocks.filter((block) => block !== '').join('\n\n')}\n`;
}

/** A table as Markdown. Its quiet rows, such as those that are the same, are folded. */
function tableMarkdown(own: ComparisonTable): string {
  const { title, caption, head, quiet, rows } = own;
  const notable = rows.filter(({ verdict }) => !quiet.includes(verdict));
  const others = rows.filter((row) => !notable.includes(row));
  const grid = (some: ComparisonTable['rows']): string =>
    table(
      ['', ...head],
      some.map(({ verdict, cells }) => [VERDICT_WORDS[verdict], ...cells]),
    );
  const folded =
    others.length === 0 ? '' : `<details><summary>${numbered(others.length, 'other row')}</summary>\n\n${grid(others)}\n\n</details>`;
  return [`## ${title}: ${tallyOf(own)}`, text(caption), notable.length === 0 ? '' : grid(notable), folded]
    .filter((part) => part !== '')
    .join('\n\n');
}

function flipList(title: string, flips: readonly Flip[], comparison: Comparison): string {
  if (flips.length === 0) return '';
  const rows = flips
    .slice(0, MOST_FLIPS)
    .map((flip) => [flipPlace(flip, comparison), flip.expected.join(' or '), flip.base.output, flip.head.output].map(short));
  const more = flips.length > MOST_FLIPS ? `\n\nThe first ${MOST_FLIPS} of ${flips.length}.` : '';
  return `<details><summary>${title}: ${flips.length}</summary>\n\n${table(['Sample', 'Expected', 'BASE', 'HEAD'], rows)}${more}\n\n</details>`;
}

/** A text cut to 120 characters, because answers may be long. The page shows them whole. */
function short(value: string): string {
  return value.length <= 120 ? value : `${value.slice(0, 117)}...`;
}

function howItIsTested({ families, level, rules }: Comparison): string {
  const named = families.map(({ name, comparisons }) => `${name} (${comparisons})`).join('; ');
  const tested = named === '' ? '' : ` Holm-adjusted within each family, at ${percent(level, 1)}: ${named}.`;
  return text(`Intervals are 95%. Margin ${percent(rules.margin, 1)}, threshold of times ${percent(rules.slower, 1)}.${tested}`);
}
