import { budgetGroups } from '../../summary/contrasts.ts';
import { kvShare, shareLength } from '../../summary/kv-share.ts';
import { countText, listed, percent } from '../../summary/phrases.ts';
import type { MethodSummary, Point, Summary } from '../../summary/summary.ts';
import { type Chart, frame, type MethodStyle, methodColour, methodShape, tooltip, type VegaLiteSpec } from '../chart.ts';
import type { Theme } from '../theme.ts';

/** One chart for each group of methods with equal KV memory: mean retrieval accuracy, from the most uniform method to the freest. */
export function ablationCharts(summary: Summary, styles: readonly MethodStyle[]): Chart[] {
  const groups = budgetGroups(summary.methods.filter((method) => method.id !== summary.baseline && method.retrieval?.mean)).filter(
    (group) => group.length > 1,
  );
  return groups.map((group, i) => {
    const share = group[0] === undefined ? null : kvShare(group[0], shareLength(summary));
    const members = styles.filter((style) => group.some((method) => method.id === style.id));
    const rows = group.flatMap((method) => {
      const mean = method.retrieval?.mean;
      return !mean
        ? []
        : [
            {
              method: styles.find((style) => style.id === method.id)?.label ?? method.id,
              ...intervalRow(mean),
              context: method.retrieval?.effectiveContext?.tokens ?? null,
            },
          ];
    });
    const alt = `Mean retrieval accuracy of ${members.map((style) => style.label).join(', ')} at equal KV memory, with 95% intervals.`;
    return {
      id: `ablation-${i + 1}`,
      section: 'retrieval' as const,
      title: `What each freedom buys${share === null ? '' : ` at ${percent(share)} of the KV memory`}`,
      caption: `Mean retrieval accuracy over ${lengthsText(summary)} of methods with no more resident KV bytes than the first (within 2%); whiskers are 95% intervals.`,
      alt,
      size: 'wide' as const,
      rows,
      spec: (theme) =>
        dotPlot({ theme, alt, rows, styles, members, y: 'method', xTitle: 'Mean retrieval accuracy', height: 34 * rows.length }),
    };
  });
}

/** The chart of LongBench-style scores by category, with intervals; empty when no task was scored. */
export function scoreCharts(summary: Summary, styles: readonly MethodStyle[]): Chart[] {
  const rowsOf = (
    pick: (scores: NonNullable<MethodSummary['scores']>) => readonly { name: string; score: Point; relative: Point | null }[],
  ) =>
    summary.methods.flatMap((method) =>
      method.scores === null
        ? []
        : pick(method.scores).map((s) => ({
            method: styles.find((style) => style.id === method.id)?.label ?? method.id,
            name: s.name,
            ...intervalRow(s.score),
            relative: s.relative?.estimate ?? null,
          })),
    );
  const rows = rowsOf((scores) => [...scores.categories, ...(scores.mean === null ? [] : [scores.mean])]);
  if (rows.length === 0) return [];
  const names = new Set(rows.map((row) => row.name));
  const { leftOut } = summary.common.tasks;
  const members = styles.filter((style) => rows.some((row) => row.method === style.label));
  const alt = `Dot plot of LongBench-style scores per category for ${members.map((style) => style.label).join(', ')}, with 95% intervals.`;
  return [
    {
      id: 'scores',
      section: 'scores',
      title: 'Long-context tasks by category',
      caption: `Each task's own metric, 0 to 1; a category is the mean of its tasks${leftOut.length === 0 ? '' : `, of which ${listed(leftOut)} are left out, as some methods lack them`}; whiskers are 95% intervals over documents, where there are enough.`,
      alt,
      size: 'wide',
      rows,
      spec: (theme) =>
        dotPlot({ theme, alt, rows, styles, members, y: 'name', xTitle: 'Score', height: names.size * (members.length * 9 + 14) }),
    },
  ];
}

/** `all lengths`, or a list of the lengths that all methods have. */
export function lengthsText({ common }: Summary): string {
  return common.lengths.leftOut.length === 0 ? 'all lengths' : `${listed(common.lengths.used.map(countText))} tokens only`;
}

interface DotPlotOptions {
  readonly theme: Theme;
  readonly alt: string;
  readonly rows: Chart['rows'];
  readonly styles: readonly MethodStyle[];
  readonly members: readonly MethodStyle[];
  readonly y: 'method' | 'name';
  readonly xTitle: string;
  readonly height: number;
}

/** Points with whiskers on a scale of 0..1. Within each name the methods are side by side. */
function dotPlot({ theme, alt, rows, styles, members, y, xTitle, height }: DotPlotOptions): VegaLiteSpec {
  const place = {
    y: {
      field: y,
      type: 'nominal',
      sort: null,
      title: null,
      axis: { ticks: false, domain: false, labelPadding: 8 },
    },
    ...(y === 'name' ? { yOffset: { field: 'method', sort: members.map((style) => style.label) } } : {}),
    color: methodColour(styles, theme),
  };
  const x = {
    field: 'estimate',
    type: 'quantitative',
    title: xTitle,
    scale: { domain: [0, 1] },
    // Quarters, so that the labels at both ends stay when half of the labels are dropped for lack of room.
    axis: { values: [0, 0.25, 0.5, 0.75, 1], format: y === 'method' ? '%' : '.2~f', labelFlush: false },
  };
  const fields = tooltip(
    ...(y === 'name' ? ([['name', 'Task']] as const) : []),
    ['method', 'Method'],
    ['estimate', xTitle, '.3f'],
    ['interval', '95%'],
    ['n', 'Samples'],
  );
  return frame({
    theme,
    alt,
    width: 720,
    height,
    rows,
    styles,
    layer: [
      {
        transform: [{ filter: 'isValid(datum.low)' }],
        mark: { type: 'rule', strokeWidth: 2, opacity: 0.55 },
        encoding: { ...place, x: { ...x, field: 'low' }, x2: { field: 'high' } },
      },
      {
        mark: { type: 'point', filled: true, size: 60, opacity: 1 },
        encoding: { ...place, x, shape: methodShape(styles, theme), tooltip: fields },
      },
    ],
  });
}

function intervalRow({ estimate, low, high, n }: Point): Point & { readonly interval: string } {
  const interval = low === null || high === null ? 'no interval' : `${low.toFixed(3)} to ${high.toFixed(3)}`;
  return { estimate, low, high, n, interval };
}
