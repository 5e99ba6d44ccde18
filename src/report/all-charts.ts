import type { Selection } from '../summary/selection.ts';
import type { Summary } from '../summary/summary.ts';
import { type Chart, methodStyles } from './chart.ts';
import { capacityChart, costChart, memoryChart, speedCharts } from './charts/efficiency.ts';
import { elasticCurves } from './charts/elastic.ts';
import { frontChart } from './charts/fronts.ts';
import { depthCharts, retrievalChart } from './charts/retrieval.ts';
import { roundsCharts } from './charts/rounds.ts';
import { ablationCharts, scoreCharts } from './charts/scores.ts';
import { spanMap } from './charts/spans.ts';
import { tradeoffChart } from './charts/tradeoff.ts';

/** Every chart for which the records have data, in reading order. */
export function allCharts(summary: Summary, selection: Selection): Chart[] {
  const styles = methodStyles(summary);
  const longest = Math.max(
    0,
    ...summary.methods.flatMap((method) => method.kvBytes.map(({ length }) => length)),
    ...summary.methods.flatMap((method) => method.density.map(({ tokens }) => tokens)),
  );
  const plans = styles.flatMap((style) => {
    const record = selection.plans.find((plan) => plan.method === style.id);
    return record === undefined || style.id === summary.baseline || longest < 128 ? [] : [{ record, style }];
  });
  const fronts = styles.flatMap((style) =>
    selection.fronts.filter((front) => front.method === style.id).flatMap((front) => frontChart(front, style)),
  );
  return [
    ...tradeoffChart(summary, styles),
    ...retrievalChart(summary, styles),
    ...ablationCharts(summary, styles),
    ...depthCharts(summary, styles),
    ...scoreCharts(summary, styles),
    ...speedCharts(summary, styles),
    ...costChart(summary, styles),
    ...roundsCharts(selection, styles),
    ...memoryChart(summary, styles),
    ...capacityChart(summary, styles),
    ...plans.map(({ record, style }) => spanMap(record, style, longest)),
    ...plans.map(({ record, style }) => elasticCurves(record, style, longest)),
    ...fronts,
  ];
}
