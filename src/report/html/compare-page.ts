import type { Comparison, Flip } from '../../summary/compare/comparison.ts';
import { type ComparisonTable, comparisonTables, flipPlace, regressionsOf, sideLines, tallyOf, VERDICT_WORDS } from '../compare-tables.ts';
import { html, Markup } from './markup.ts';
import { STYLE } from './style.ts';

/** The same policy as that of the report's page, but without scripts: the page loads nothing from elsewhere, and nothing in it runs. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";
const CLASSES: Readonly<Record<Comparison['verdict'], string>> = {
  better: 'right',
  same: '',
  worse: 'wrong',
  undecided: '',
  'not-comparable': 'note',
};

/** The comparison as the text of one HTML page, which needs no network and no JavaScript. */
export function comparisonPage(comparison: Comparison): string {
  const { sentence, verdict, notes, flips, version } = comparison;
  const tables = comparisonTables(comparison);
  const regressions = regressionsOf(tables);
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${sentence} - moabench</title>
<meta name="generator" content="moabench">
<link rel="icon" href="data:,">
<style>${new Markup(STYLE)}</style>
</head>
<body>
<header class="top">
<p class="eyebrow">moabench compare</p>
<h1 class="${CLASSES[verdict]}">${sentence}</h1>
<dl class="facts">${sideLines(comparison).map(([name, line]) => html`<div><dt>${name}</dt><dd>${line}</dd></div>`)}</dl>
</header>
<main>
${regressions.length === 0 ? null : html`<aside class="threats" aria-labelledby="worse"><h2 id="worse">What got worse</h2><ul>${regressions.map((finding) => html`<li>${finding}</li>`)}</ul></aside>`}
${notes.length === 0 ? null : html`<ul class="findings">${notes.map((note) => html`<li>${note}</li>`)}</ul>`}
${tables.map(tableSection)}
${flipSection('Samples lost', flips.lost, comparison)}
${flipSection('Samples gained', flips.gained, comparison)}
</main>
<footer>Made by moabench compare, version ${version} of its format. Intervals are 95%; the same in full is in --json.</footer>
</body>
</html>
`;
  return page.text;
}

function tableSection(table: ComparisonTable): Markup {
  const { title, caption, head, rows } = table;
  const body = rows.map(
    ({ verdict, cells }) =>
      html`<tr><th scope="row" class="${CLASSES[verdict]}">${VERDICT_WORDS[verdict]}</th>${cells.map((cell) => html`<td>${cell}</td>`)}</tr>`,
  );
  const columns = ['', ...head].map((name) => html`<th scope="col">${name}</th>`);
  return html`<section><h2>${title}</h2><p>${tallyOf(table)}. ${caption}</p><div class="scroll" tabindex="0" role="region" aria-label="${title}"><table class="plain"><thead><tr>${columns}</tr></thead><tbody>${body}</tbody></table></div></section>`;
}

function flipSection(title: string, flips: readonly Flip[], comparison: Comparison): Markup | null {
  if (flips.length === 0) return null;
  const rows = flips.map(
    (flip) =>
      html`<tr><th scope="row">${flipPlace(flip, comparison)}</th><td>${flip.expected.join(' or ')}</td><td>${flip.base.output} <small>(${flip.base.score.toFixed(2)})</small></td><td>${flip.head.output} <small>(${flip.head.score.toFixed(2)})</small></td></tr>`,
  );
  const head = ['Sample', 'Expected', 'BASE', 'HEAD'].map((name) => html`<th scope="col">${name}</th>`);
  return html`<section><h2>${title}</h2><details><summary>${flips.length} with the largest changes</summary><div class="scroll"><table class="plain"><thead><tr>${head}</tr></thead><tbody>${rows}</tbody></table></div></details></section>`;
}
