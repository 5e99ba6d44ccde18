import type { Chart } from '../chart.ts';
import { comparisonFacts, environmentFacts } from '../facts.ts';
import type { ReportParts } from '../markdown.ts';
import { compileSpec, type VegaRuntime } from '../render.ts';
import { cssTheme } from '../theme.ts';
import { flipViewer } from './flips.ts';
import { html, jsonScript, Markup } from './markup.ts';
import { SCRIPT } from './script.ts';
import {
  checksTable,
  dataSection,
  factList,
  figure,
  findings,
  headlineTable,
  methodButtons,
  stretchesTable,
  threats,
  unfinishedCells,
} from './sections.ts';
import { STYLE } from './style.ts';

const SECTIONS: readonly { readonly part: Chart['section']; readonly title: string; readonly small?: string }[] = [
  { part: 'overview', title: 'The trade-off' },
  { part: 'retrieval', title: 'Retrieval', small: 'Where in the context the evidence sits' },
  { part: 'scores', title: 'Long-context tasks' },
  { part: 'speed', title: 'Speed' },
  { part: 'memory', title: 'Memory' },
  { part: 'spans', title: 'Plans', small: 'The span of every head' },
  { part: 'elastic', title: '', small: 'How spans grow with length' },
  { part: 'fronts', title: '', small: 'The Pareto plans they were picked from' },
];

/**
 * What the page may do, whatever text from records would make of it: its own script and style, pictures in data URLs, nothing from anywhere else. Vega compiles
 * the expressions of a chart into functions, hence `unsafe-eval`.
 */
const POLICY =
  "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

/** report.html: one file that needs no network. `runtime` is Vega's browser build, put in as it is. */
export function htmlReport(parts: ReportParts, runtime: VegaRuntime): string {
  const { summary, selection, environment, charts } = parts;
  const specs = charts.map((chart) => [chart.id, compileSpec(chart.spec(cssTheme))] as const);
  const heights = new Map(specs.map(([id, spec]) => [id, typeof spec.height === 'number' ? spec.height : 240]));
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
${factList(comparisonFacts(summary, selection))}
</header>
<main>
${headlineTable(summary)}
<h2>Findings</h2>
${findings(summary.verdicts)}
${threats(summary.checks)}
<noscript><p>The charts need JavaScript; their data is in the tables below each.</p></noscript>
${methodButtons(summary)}
${SECTIONS.map(({ part, title, small }) => chartSection({ charts: charts.filter((chart) => chart.section === part), title, small: small ?? null, heights }))}
${flipViewer(summary, selection)}
${checksTable(summary.checks)}
${unfinishedCells(summary)}
${stretchesTable(selection)}
${dataSection(summary)}
${environment === null ? null : html`<h2>Environment</h2>${factList(environmentFacts(environment, summary))}`}
${summary.command === null ? null : html`<h2>Run it again</h2><pre>${summary.command}</pre><button type="button" class="copy">Copy</button>`}
</main>
<footer>Made by moabench ${environment?.moabench ?? ''} from records.jsonl. Numbers for other tools are in summary.json and csv/.</footer>
<div class="tip" role="status"></div>
<script type="application/json" id="charts">${jsonScript(Object.fromEntries(specs))}</script>
<script>${new Markup(runtime.source)}</script>
<script>${new Markup(SCRIPT)}</script>
</body>
</html>
`;
  return page.text;
}

interface ChartSectionOptions {
  readonly charts: readonly Chart[];
  readonly title: string;
  /** Heading over the small charts. */
  readonly small: string | null;
  readonly heights: ReadonlyMap<string, number>;
}

function chartSection({ charts, title, small, heights }: ChartSectionOptions): Markup {
  if (charts.length === 0) return html``;
  const of = (size: Chart['size']): Markup[] =>
    charts.filter((chart) => chart.size === size).map((chart) => figure(chart, heights.get(chart.id) ?? 240));
  const grid = of('small');
  const smallPart = grid.length === 0 ? null : html`${small === null ? null : html`<h3>${small}</h3>`}<div class="grid">${grid}</div>`;
  return html`<section>${title === '' ? null : html`<h2>${title}</h2>`}${of('wide')}${smallPart}</section>`;
}
