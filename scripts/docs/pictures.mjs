// The pictures of README.md, drawn from the released records by the code that draws the reports' charts.
import { methodStyles } from '../../dist/report/chart.js';
import { tradeoffChart } from '../../dist/report/charts/tradeoff.js';
import { renderSvg } from '../../dist/report/render.js';
import { lightTheme, METHOD_COLOURS } from '../../dist/report/theme.js';
import { requireFormat } from './released.mjs';
import { releasedSummary } from './suite-tables.mjs';
import { FIVE_METHODS } from './tables.mjs';

/** The colours of GitHub's dark pages, with the palette's colours for dark backgrounds. */
const darkTheme = {
  ...lightTheme,
  ink: '#e6edf3',
  muted: '#a9b1bb',
  grid: '#30363d',
  background: '#0d1117',
  gap: '#0d1117',
  method: (index) => METHOD_COLOURS[index % METHOD_COLOURS.length].dark,
};

/** Mean retrieval accuracy against resident KV bytes. The chart shows memory only when there are no timings, so they are left out. */
async function accuracyByMemory(root, theme) {
  const { release, summary } = releasedSummary(root, 'reference');
  const methods = summary.methods
    .filter((method) => FIVE_METHODS.includes(method.id))
    .map((method) => ({ ...method, prefill: [], decode: [] }));
  const shown = { ...summary, methods };
  const [chart] = tradeoffChart(shown, methodStyles(shown));
  requireFormat(chart !== undefined, release, 'records.jsonl', 'accuracies and KV bytes');
  return renderSvg(chart.spec(theme));
}

export const PICTURES = {
  'docs/accuracy-by-memory.svg': (root) => accuracyByMemory(root, lightTheme),
  'docs/accuracy-by-memory-dark.svg': (root) => accuracyByMemory(root, darkTheme),
};
