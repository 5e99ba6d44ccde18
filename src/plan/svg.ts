import { ceilToBlock } from '../core/blocks.ts';
import { invalidArgument } from '../core/errors.ts';
import { scaleColor } from './colors.ts';
import { formatRules } from './rule.ts';
import type { Plan } from './schema.ts';
import { curveLengths, ruleCurves, type SpanMap, spanMap } from './span-map.ts';
import { densityAt } from './spans.ts';

const MARGIN = 48;
const CHART = { width: 420, height: 240 };
/** Maximum number of curves that are drawn; the others have few heads each. */
const MAX_CURVES = 12;
/** Readable in light and dark: the text follows the reader's scheme. */
const STYLE =
  'text{font:12px system-ui,sans-serif;fill:#222}.title{font-size:15px;font-weight:600}.axis{stroke:#888;fill:none}.grid{stroke:#8884;fill:none}' +
  '@media(prefers-color-scheme:dark){text{fill:#ddd}}';

/** The plan as one self-contained SVG: the layer x KV head span map at each length, the rules' span over N, and the density over N. */
export function planSvg(plan: Plan, options: { readonly lengths: readonly number[] }): string {
  const { lengths } = options;
  if (lengths.length === 0) throw invalidArgument('at least one length', 'lengths', lengths);
  const { layers, kvHeads } = plan.model;
  const cell = Math.max(3, Math.min(14, Math.floor(448 / Math.max(layers, kvHeads))));
  const panel = { width: Math.max(200, kvHeads * cell + 60), height: layers * cell + 40 };
  const maps = lengths.map((tokens, i) => group(MARGIN + i * panel.width, 64, mapPanel(spanMap(plan, tokens), cell)));
  const top = 64 + panel.height + 40;
  const width = Math.max(MARGIN * 2 + lengths.length * panel.width, 3 * MARGIN + 2 * CHART.width + 160);
  const parts = [
    text(MARGIN, 28, `${plan.name}: ${plan.method}, ${plan.model.name}`, 'title'),
    text(MARGIN, 46, 'Span as a share of N, by layer (down) and KV head (across)'),
    ...maps,
    group(MARGIN, top, curvePanel(plan, lengths)),
    group(MARGIN * 2 + CHART.width + 160, top, densityPanel(plan, lengths)),
  ];
  const height = top + CHART.height + MARGIN;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escapeXml(`Span map of ${plan.name}`)}"><style>${STYLE}</style>${parts.join('')}</svg>\n`;
}

function mapPanel(map: SpanMap, cell: number): string {
  const rows = map.ratios.map((row, layer) =>
    row
      .map((ratio, head) => {
        const fill = `rgb(${scaleColor(ratio).join(',')})`;
        const tip = `<title>layer ${layer}, KV head ${head}: ${ratio.toFixed(3)} N</title>`;
        return `<rect x="${head * cell}" y="${10 + layer * cell}" width="${cell}" height="${cell}" fill="${fill}">${tip}</rect>`;
      })
      .join(''),
  );
  return text(0, 4, `N = ${map.tokens}, density ${map.mean.toFixed(3)}`) + rows.join('');
}

/** Span over N of every rule. The more heads a rule has, the wider its line. */
function curvePanel(plan: Plan, lengths: readonly number[]): string {
  const at = curveLengths(lengths, 48);
  const longest = at.at(-1) as number;
  const curves = ruleCurves(plan, at);
  const most = curves[0]?.heads ?? 1;
  const lines = curves.slice(0, MAX_CURVES).map(({ rules, heads, spans }, i) => {
    const color = `rgb(${scaleColor(Math.min(1, (spans.at(-1) as number) / longest)).join(',')})`;
    const stroke = (1 + (4 * heads) / most).toFixed(1);
    const path = polyline(spans.map((span, j) => [(at[j] as number) / longest, span / longest]));
    const label = text(CHART.width + 8, 12 + i * 18, `${formatRules(rules)}  (${heads})`);
    const swatch = `<line x1="${CHART.width - 8}" x2="${CHART.width + 4}" y1="${8 + i * 18}" y2="${8 + i * 18}" stroke="${color}" stroke-width="3"/>`;
    return `<path d="${path}" fill="none" stroke="${color}" stroke-width="${stroke}"><title>${escapeXml(formatRules(rules))}: ${heads} heads</title></path>${swatch}${label}`;
  });
  const shown = curves.length > MAX_CURVES ? ` (${MAX_CURVES} most used of ${curves.length})` : '';
  return frame(`Span of each rule over N, tokens${shown}`, longest, longest) + lines.join('');
}

function densityPanel(plan: Plan, lengths: readonly number[]): string {
  const at = curveLengths(lengths, 48);
  const longest = at.at(-1) as number;
  const path = polyline(at.map((tokens) => [tokens / longest, densityAt(plan, tokens)]));
  const dots = lengths.map((tokens) => {
    const density = densityAt(plan, tokens);
    const [x, y] = [((tokens / longest) * CHART.width).toFixed(1), ((1 - density) * CHART.height).toFixed(1)];
    return `<circle cx="${x}" cy="${y}" r="4" fill="rgb(44,125,152)"/>${text(Number(x) - 12, Number(y) - 10, density.toFixed(3))}`;
  });
  return `${frame('Density over N', longest, 1)}<path d="${path}" fill="none" stroke="rgb(44,125,152)" stroke-width="2"/>${dots.join('')}`;
}

/** Axes with three ticks each. */
function frame(title: string, xMax: number, yMax: number): string {
  const { width, height } = CHART;
  const ticks = [0, 0.5, 1].flatMap((share) => [
    `<path class="grid" d="M0 ${height * (1 - share)}H${width}"/>`,
    text(-40, height * (1 - share) + 4, yMax === 1 ? share.toFixed(1) : String(ceilToBlock(share * yMax))),
    text(share * width - 14, height + 18, String(ceilToBlock(share * xMax))),
  ]);
  return `${text(0, -12, title)}${ticks.join('')}<path class="axis" d="M0 0V${height}H${width}"/>`;
}

function polyline(points: readonly (readonly [number, number])[]): string {
  return points.map(([x, y], i) => `${i === 0 ? 'M' : 'L'}${(x * CHART.width).toFixed(1)} ${((1 - y) * CHART.height).toFixed(1)}`).join('');
}

function group(x: number, y: number, content: string): string {
  return `<g transform="translate(${x} ${y})">${content}</g>`;
}

function text(x: number, y: number, content: string, className?: string): string {
  return `<text x="${x}" y="${y}"${className === undefined ? '' : ` class="${className}"`}>${escapeXml(content)}</text>`;
}

function escapeXml(value: string): string {
  const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  // Control characters are not allowed in XML at all.
  return value.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\ufffd').replace(/[&<>"']/g, (c) => entities[c] as string);
}
