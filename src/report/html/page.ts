import { answers } from '../answer.ts';
import { type Chart, methodStyles } from '../chart.ts';
import { comparisonFacts, environmentFacts } from '../facts.ts';
import type { ReportParts } from '../markdown.ts';
import { compileSpec, type VegaRuntime } from '../render.ts';
import { roundsTable } from '../rounds.ts';
import { runFiles } from '../run-files.ts';
import { type SampleBrowser, sampleBrowser } from '../samples.ts';
import { cssTheme } from '../theme.ts';
import { chartSections } from './chart-sections.ts';
import { html, jsonScript, Markup } from './markup.ts';
import { SAMPLE_SCRIPT } from './sample-script.ts';
import { sampleSection } from './samples.ts';
import { SCRIPT } from './script.ts';
import {
  answerBox,
  checksTable,
  dataSection,
  factList,
  filesList,
  findings,
  headlineTable,
  methodButtons,
  roundsDetails,
  type Section,
  stretchesTable,
  threats,
  unfinishedCells,
} from './sections.ts';
import { STYLE } from './style.ts';

/**
 * What the page may do, even if text from records should become markup: it may use its own scripts and styles and pictures in data URLs, and load nothing from
 * elsewhere. `unsafe-eval` is needed because Vega compiles the expressions of a chart into functions.
 */
const POLICY =
  "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

/** The text of report.html, one file that needs no network. `runtime`: Vega's browser build, which is put in as it is. */
export function htmlReport(parts: ReportParts, runtime: VegaRuntime): string {
  const { summary, selection, environment, charts } = parts;
  const specs = charts.map((chart) => [chart.id, compileSpec(chart.spec(cssTheme))] as const);
  const browser = sampleBrowser(summary, selection);
  const numbers = headlineTable(summary);
  const shown = sectionsOf(parts, new Map(specs.map(heightOf)), browser).filter(({ body }) => body !== null);
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${summary.title} - moabench</title>
<meta name="generator" content="moabench">
<link rel="icon" href="data:,">
<style>${new Markup(STYLE)}</style>
</head>
<body>
<header class="top">
<p class="eyebrow">moabench report</p>
<h1>${summary.title}</h1>
${summary.description === null ? null : html`<p class="lead">${summary.description}</p>`}
${contents([...(numbers === null ? [] : [{ id: 'numbers', title: 'Numbers' }]), ...shown])}
</header>
<main>
${threats(summary.checks)}
${answerBox(answers(summary))}
${numbers === null ? null : html`<section id="numbers">${numbers}</section>`}
${factList(comparisonFacts(summary, selection))}
<noscript><p>The charts need JavaScript; their data is in the tables below each.</p></noscript>
${shown.map(({ id, title, body }) => html`${id === shown.find(isOfCharts)?.id ? methodButtons(summary) : null}<section id="${id}"><h2>${title} <a class="anchor" href="#${id}" aria-label="Link to ${title}">#</a></h2>${body}</section>`)}
</main>
<footer>Made by moabench ${environment?.moabench ?? ''} from ${parts.recordsFile}.</footer>
<div class="tip" role="status"></div>
<script type="application/json" id="charts">${jsonScript(Object.fromEntries(specs))}</script>
${browser === null ? null : html`<script type="application/json" id="samples-data">${jsonScript(browser)}</script>`}
<script>${new Markup(runtime.source)}</script>
<script>${new Markup(SCRIPT)}</script>
<script>${new Markup(SAMPLE_SCRIPT)}</script>
</body>
</html>
`;
  return page.text;
}

function heightOf([id, spec]: readonly [string, { readonly [key: string]: unknown }]): readonly [string, number] {
  return [id, typeof spec.height === 'number' ? spec.height : 240];
}

function contents(sections: readonly Pick<Section, 'id' | 'title'>[]): Markup {
  return html`<nav class="contents" aria-label="Contents">${sections.map(({ id, title }) => html`<a href="#${id}">${title}</a> `)}</nav>`;
}

function isOfCharts({ id }: Section): boolean {
  return id.startsWith('charts-');
}

/** All sections below the first screen, in reading order. Those without content have the body null. */
function sectionsOf(parts: ReportParts, heights: ReadonlyMap<string, number>, browser: SampleBrowser | null): Section[] {
  const { summary, selection, environment, charts, tables, recordsFile } = parts;
  const rounds = roundsDetails(roundsTable(selection, methodStyles(summary)));
  const facts = environmentFacts(environment, summary);
  return [
    { id: 'findings', title: 'Findings', body: findings(summary.verdicts) },
    ...chartSections({ charts, heights, tables, after: new Map<Chart['section'], Markup | null>([['rounds', rounds]]) }),
    {
      id: 'samples',
      title: 'Answers',
      body: browser === null ? null : sampleSection(browser, { recordsFile, hasLosses: selection.losses.length > 0 }),
    },
    { id: 'checks', title: 'Checks', body: checksTable(summary) },
    { id: 'unfinished', title: 'Cells that did not complete', body: unfinishedCells(summary) },
    { id: 'measured', title: 'When it was measured', body: stretchesTable(selection) },
    { id: 'data', title: 'Data', body: dataSection(summary) },
    { id: 'environment', title: 'Environment', body: facts.length === 0 ? null : factList(facts) },
    { id: 'files', title: 'Files', body: filesList(runFiles({ recordsFile, selection, tables, hasEnvironment: environment !== null })) },
    { id: 'again', title: 'Run it again', body: commandBox(summary.command) },
  ];
}

function commandBox(command: string | null): Markup | null {
  return command === null ? null : html`<pre>${command}</pre><button type="button" class="copy">Copy</button>`;
}
