import { kvShare, shareLength } from '../../summary/kv-share.ts';
import type { Timed } from '../../summary/speed/estimates.ts';
import { hardest } from '../../summary/speed/speed.ts';
import type { MethodSummary, Summary } from '../../summary/summary.ts';
import { type Chart, frame, type MethodStyle, methodColour, methodShape, tooltip } from '../chart.ts';
import { lengthsText } from './scores.ts';

/** The chart of quality against speed, or against memory when nothing was timed: one point for each method, with intervals in both directions. */
export function tradeoffChart(summary: Summary, styles: readonly MethodStyle[]): Chart[] {
  const timed = summary.methods.some((method) => hardestSpeedup(method) !== null);
  const rows = summary.methods.flatMap((method) => {
    const mean = method.retrieval?.mean;
    const x = timed
      ? method.id === summary.baseline
        ? { estimate: 1, low: 1, high: 1 }
        : hardestSpeedup(method)
      : memoryShare(method, shareLength(summary));
    if (!mean || x === null) return [];
    const label = styles.find((style) => style.id === method.id)?.label ?? method.id;
    return [{ method: label, x: x.estimate, xLow: x.low, xHigh: x.high, y: mean.estimate, low: mean.low, high: mean.high, n: mean.n }];
  });
  if (rows.length < 2) return [];
  const timing = hardest(summary.methods.flatMap((method) => method.decode.filter((speed) => speed.speedup !== null)));
  const xTitle = timing === undefined ? `KV memory (${summary.baseline} = 100%)` : `Decoding speed (${summary.baseline} = 1)`;
  const condition =
    timing === undefined ? '' : `, decoding speed at ${timing.length.toLocaleString('en-US')} tokens of context and batch ${timing.batch}`;
  const alt = `Scatter plot: ${xTitle.toLowerCase()} against mean retrieval accuracy, one point per method with 95% intervals. Up and ${timed ? 'right' : 'left'} is better.`;
  return [
    {
      id: 'tradeoff',
      section: 'overview',
      title: timed ? 'Quality against speed' : 'Quality against memory',
      caption: `Mean retrieval accuracy over ${lengthsText(summary)}${condition}; whiskers are 95% intervals. Up and ${timed ? 'right' : 'left'} is better.`,
      alt,
      size: 'wide',
      rows,
      spec: (theme) => {
        const x = {
          field: 'x',
          type: 'quantitative',
          title: xTitle,
          scale: { zero: false, nice: true, padding: 24 },
          axis: { format: timed ? '.1~f' : '%', tickCount: 6, grid: true },
        };
        const y = {
          field: 'y',
          type: 'quantitative',
          title: 'Mean retrieval accuracy',
          scale: { domain: [0, 1] },
          axis: { format: '%', tickCount: 5 },
        };
        const color = methodColour(styles, theme);
        const fields = tooltip(
          ['method', 'Method'],
          ['x', timed ? 'Speed-up' : 'KV memory', timed ? '.2f' : '.1%'],
          ['xLow', '95% from', '.2f'],
          ['xHigh', 'to', '.2f'],
          ['y', 'Retrieval', '.1%'],
          ['low', '95% from', '.1%'],
          ['high', 'to', '.1%'],
          ['n', 'Samples'],
        );
        return frame({
          theme,
          alt,
          width: 720,
          height: 300,
          rows,
          styles,
          layer: [
            { mark: { type: 'rule', opacity: 0.6 }, encoding: { x, y: { ...y, field: 'low' }, y2: { field: 'high' }, color } },
            { mark: { type: 'rule', opacity: 0.6 }, encoding: { x: { ...x, field: 'xLow' }, x2: { field: 'xHigh' }, y, color } },
            {
              mark: { type: 'point', filled: true, size: 110, opacity: 1 },
              encoding: { x, y, color, shape: methodShape(styles, theme), tooltip: fields },
            },
          ],
        });
      },
    },
  ];
}

function memoryShare(method: MethodSummary, length: number | null): { estimate: number; low: number; high: number } | null {
  const share = kvShare(method, length);
  return share === null ? null : { estimate: share, low: share, high: share };
}

function hardestSpeedup(method: MethodSummary): Timed | null {
  return hardest(method.decode.filter((speed) => speed.cache !== 'dynamic'))?.speedup ?? null;
}
