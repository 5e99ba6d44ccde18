import type { Chart } from '../chart.ts';
import { SECTION_TABLES } from '../run-files.ts';
import { html, type Markup } from './markup.ts';
import { figure, type Section, tableLinks } from './sections.ts';

/**
 * The sections of the page that consist of charts. A section of the page has one or several parts, and a part has all charts whose `section` it names. `small` is
 * the heading above the small charts of a part.
 */
const SECTIONS: readonly {
  readonly id: string;
  readonly title: string;
  readonly parts: readonly { readonly part: Chart['section']; readonly small?: string }[];
}[] = [
  { id: 'charts-overview', title: 'The trade-off', parts: [{ part: 'overview' }] },
  { id: 'charts-retrieval', title: 'Retrieval', parts: [{ part: 'retrieval', small: 'Where in the context the evidence sits' }] },
  { id: 'charts-scores', title: 'Long-context tasks', parts: [{ part: 'scores' }] },
  {
    id: 'charts-speed',
    title: 'Speed',
    parts: [{ part: 'speed' }, { part: 'rounds', small: 'Every round, with the median of each method' }],
  },
  { id: 'charts-memory', title: 'Memory', parts: [{ part: 'memory' }] },
  {
    id: 'charts-plans',
    title: 'Plans',
    parts: [
      { part: 'spans', small: 'The span of every head' },
      { part: 'elastic', small: 'How spans grow with length' },
      { part: 'fronts', small: 'The Pareto plans they were picked from' },
    ],
  },
];

export interface ChartSectionOptions {
  readonly charts: readonly Chart[];
  /** Id of a chart -> its height in px. */
  readonly heights: ReadonlyMap<string, number>;
  /** Names of the tables that the run has. */
  readonly tables: readonly string[];
  /** Part -> the markup that follows its charts. */
  readonly after: ReadonlyMap<Chart['section'], Markup | null>;
}

export function chartSections(options: ChartSectionOptions): Section[] {
  const { charts, tables } = options;
  return SECTIONS.map(({ id, title, parts }) => {
    const names = parts.map(({ part }) => part);
    const own = new Set(names.flatMap((part) => SECTION_TABLES[part]));
    const links = tableLinks(tables.filter((table) => own.has(table)));
    const bodies = parts.map(({ part, small = null }) => partOf(part, small, options));
    return { id, title, body: charts.some(({ section }) => names.includes(section)) ? html`${bodies}${links}` : null };
  });
}

function partOf(part: Chart['section'], small: string | null, { charts, heights, after }: ChartSectionOptions): Markup {
  const of = (size: Chart['size']): Markup[] =>
    charts.filter((chart) => chart.section === part && chart.size === size).map((chart) => figure(chart, heights.get(chart.id) ?? 240));
  const grid = of('small');
  const smallPart = grid.length === 0 ? null : html`${small === null ? null : html`<h3>${small}</h3>`}<div class="grid">${grid}</div>`;
  return html`${of('wide')}${smallPart}${after.get(part) ?? null}`;
}
