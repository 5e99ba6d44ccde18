import { countText } from '../../summary/phrases.ts';
import type { Selection } from '../../summary/selection.ts';
import type { Check, Summary } from '../../summary/summary.ts';
import type { Answer } from '../answer.ts';
import { type Chart, methodStyles } from '../chart.ts';
import { checksTally, mostWereMade } from '../checks-text.ts';
import { DATA_COLUMNS, dataRows } from '../data-table.ts';
import { type Fact, familiesText, stretchTable } from '../facts.ts';
import { type Headline, hasIntervals, headline, lacksIntervals } from '../headline.ts';
import type { RoundsTable } from '../rounds.ts';
import { type RunFile, tablePath } from '../run-files.ts';
import { html, type Markup } from './markup.ts';

/** So many findings are shown at once; the others are folded. */
const FIRST_FINDINGS = 5;
const TABLE_ROWS = 200;

/** A part of the page that the table of contents names. */
export interface Section {
  readonly id: string;
  readonly title: string;
  /** null: the run has nothing for this section, and the page leaves it out. */
  readonly body: Markup | null;
}

export function factList(facts: readonly Fact[]): Markup {
  return html`<dl class="facts">${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

export function findings(verdicts: readonly string[]): Markup {
  const list = (items: readonly string[]): Markup => html`<ul class="findings">${items.map((item) => html`<li>${item}</li>`)}</ul>`;
  const rest = verdicts.slice(FIRST_FINDINGS);
  if (verdicts.length === 0) return html`<p>Nothing was compared.</p>`;
  return html`${list(verdicts.slice(0, FIRST_FINDINGS))}${rest.length === 0 ? null : html`<details><summary>${rest.length} more ${rest.length === 1 ? 'finding' : 'findings'}</summary>${list(rest)}</details>`}`;
}

/** A box with the short answers; null when nothing was compared. */
export function answerBox(all: readonly Answer[]): Markup | null {
  if (all.length === 0) return null;
  const boxes = all.map(
    ({ claim, evidence }) => html`<p class="claim">${claim}</p><ul>${evidence.map((sentence) => html`<li>${sentence}</li>`)}</ul>`,
  );
  return html`<section class="answer" id="answer"><h2>In short</h2>${boxes}</section>`;
}

/**
 * The headline table and how to read it; null when nothing was measured. On a narrow screen each method is shown as a card, so every cell carries the name of its
 * column.
 */
export function headlineTable(summary: Summary): Markup | null {
  const { columns, rows }: Headline = headline(summary);
  if (columns.length === 0) return null;
  const brackets = hasIntervals({ columns, rows }) ? 'Brackets are 95% intervals. ' : '';
  const points = lacksIntervals({ columns, rows }) ? 'Without interval: too few samples a task, or too alike. ' : '';
  const head = columns.map((column) => html`<th scope="col" role="columnheader">${column.name}<small>${column.title}</small></th>`);
  const body = rows.map(
    (row) =>
      html`<tr role="row" class="${row.baseline ? 'baseline' : ''}"><th scope="row" role="rowheader"><span class="swatch" style="--c:var(--m${row.index % 8})"></span>${row.label}</th>${row.cells.map((cell, i) => headlineCell(cell, columns[i]?.name ?? ''))}</tr>`,
  );
  const meanings = columns.filter(({ title }) => title !== '').map(({ name, title }) => `${name}: ${title}`);
  return html`<div class="scroll cards" tabindex="0" role="region" aria-label="Headline numbers"><table class="headline" role="table"><thead role="rowgroup"><tr role="row"><th scope="col" role="columnheader">Method</th>${head}</tr></thead><tbody role="rowgroup">${body}</tbody></table></div>
<p class="note">${brackets}${points}Memory and speed come from the same kernels and caches as the scores.<span class="narrow"> ${meanings.join('; ')}.</span></p>`;
}

/** A cell of the headline table. The part in brackets after the number is printed small. */
function headlineCell(cell: string, column: string): Markup {
  const at = cell.search(/ [[(]/);
  const content = at < 0 ? html`${cell}` : html`${cell.slice(0, at)} <small>${cell.slice(at + 1)}</small>`;
  return html`<td role="cell" data-column="${column}">${content}</td>`;
}

/** The failed checks in a box that a reader cannot miss, or one line when no check failed or only notes did. */
export function threats(checks: readonly Check[]): Markup {
  const failed = checks.filter((check) => check.status === 'failed' && check.severity !== 'note');
  const notes = checks.filter((check) => check.status === 'failed' && check.severity === 'note');
  const summary = html`<a href="#checks">${checksTally(checks)}</a>`;
  if (failed.length + notes.length === 0)
    return mostWereMade(checks)
      ? html`<p class="allclear">No threat to these conclusions was found: ${summary}.</p>`
      : html`<p class="note">Too little was run to look for threats to these conclusions: ${summary}.</p>`;
  if (failed.length === 0) return html`<p class="note">${notes.map((check) => html`${check.message} `)}${summary}.</p>`;
  const items = [...failed, ...notes].map(
    (check) => html`<li>${check.severity === 'blocking' ? html`<strong>Blocking.</strong> ` : null}${check.message}</li>`,
  );
  return html`<aside class="threats" id="threats" aria-labelledby="threats-title"><h2 id="threats-title">Read this first</h2><ul>${items}</ul><p>${summary}.</p></aside>`;
}

export function methodButtons(summary: Summary): Markup {
  const buttons = methodStyles(summary).map(
    ({ label, index }) =>
      html`<button type="button" aria-pressed="true" data-method="${label}"><span class="swatch" style="--c:var(--m${index % 8})"></span>${label}</button>`,
  );
  return html`<div class="methods" role="group" aria-label="Show or hide methods in all charts">${buttons}</div>`;
}

/** A chart: its texts, the box into which the script draws it, and its data as a table for readers who cannot see it. `height`: of the box, in px. */
export function figure(chart: Chart, height: number): Markup {
  const caption = html`<figcaption><h3>${chart.title}</h3>${chart.caption === '' ? null : html`<p>${chart.caption}</p>`}</figcaption>`;
  const plot = html`<div class="plot" style="--h:${height}px" data-chart="${chart.id}" data-alt="${chart.alt}"></div>`;
  return html`<figure class="${chart.size}"${chart.method === undefined ? null : html` data-method="${chart.method}"`}>${caption}${plot}${dataTable(chart)}</figure>`;
}

function dataTable(chart: Chart): Markup {
  const columns = Object.keys(chart.rows[0] ?? {});
  const shown = chart.rows.slice(0, TABLE_ROWS);
  const cell = (value: string | number | null | undefined): string =>
    typeof value === 'number' ? String(Number(value.toPrecision(4))) : (value ?? '');
  const body = shown.map((row) => html`<tr>${columns.map((column) => html`<td>${cell(row[column])}</td>`)}</tr>`);
  const more = chart.rows.length > shown.length ? html`<p>First ${TABLE_ROWS} of ${countText(chart.rows.length)} rows.</p>` : null;
  return html`<details><summary>Data</summary><div class="data" tabindex="0" role="region" aria-label="Data of ${chart.title}"><table><thead><tr>${columns.map((column) => html`<th scope="col">${column}</th>`)}</tr></thead><tbody>${body}</tbody></table></div>${more}</details>`;
}

export function checksTable(summary: Summary): Markup {
  const rows = summary.checks.map(
    (check) =>
      html`<tr><td class="${check.status === 'failed' ? 'wrong' : check.status === 'passed' ? 'right' : ''}">${check.status}</td><td>${check.message}</td></tr>`,
  );
  const families = familiesText(summary);
  return html`<p>What was looked at for anything that would make the conclusions wrong.</p><div class="scroll"><table class="checks"><tbody>${rows}</tbody></table></div>${families === null ? null : html`<p class="note">${families}</p>`}`;
}

/** A table that says when, with which code and under which load the numbers were measured; null when no stretch is on record. */
export function stretchesTable(selection: Selection): Markup | null {
  const { head, rows } = stretchTable(selection);
  return rows.length === 0 ? null : plainTable(head, rows);
}

export function dataSection({ data }: Summary): Markup | null {
  return data.length === 0 ? null : plainTable(DATA_COLUMNS, dataRows(data));
}

/** A folded table of every round beside the medians; null when nothing was timed. The charts above it show the same numbers. */
export function roundsDetails({ head, rows, cut }: RoundsTable): Markup | null {
  if (rows.length === 0) return null;
  const more = cut
    ? html`<p class="note">The first rounds of each process; <a href="${tablePath('timings')}">${tablePath('timings')}</a> has all.</p>`
    : null;
  return html`<details class="block"><summary>All rounds in ms, beside their medians</summary>${plainTable(head, rows)}${more}</details>`;
}

/** Links to the files beside the report, each with what it holds. */
export function filesList(files: readonly RunFile[]): Markup {
  const items = files.map(({ path, holds }) => html`<li><a href="${path}"><code>${path}</code></a> ${holds}</li>`);
  return html`<p>In the run folder, beside this page. Tables and charts can be made again from the records: <code>moabench report</code> with the folder.</p><ul class="files">${items}</ul>`;
}

/** Links to the CSV tables with the numbers of a section; null when there are none. */
export function tableLinks(names: readonly string[]): Markup | null {
  if (names.length === 0) return null;
  const links = names.map((name, i) => html`${i === 0 ? '' : ', '}<a href="${tablePath(name)}">${name}.csv</a>`);
  return html`<p class="note">Numbers: ${links}</p>`;
}

export function unfinishedCells({ cells }: Summary): Markup | null {
  const items = [
    ...cells.failed.map(({ cellId, message }) => ({ cellId, what: 'failed', why: message })),
    ...cells.skipped.map(({ cellId, reason }) => ({ cellId, what: 'skipped', why: reason })),
  ];
  if (items.length === 0) return null;
  return html`<ul>${items.map(({ cellId, what, why }) => html`<li><code>${cellId}</code> ${what}: ${why}</li>`)}</ul>`;
}

function plainTable(head: readonly string[], rows: readonly (readonly string[])[]): Markup {
  const body = rows.map((row) => html`<tr>${row.map((cell) => html`<td>${cell}</td>`)}</tr>`);
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Table"><table class="plain"><thead><tr>${head.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead><tbody>${body}</tbody></table></div>`;
}
