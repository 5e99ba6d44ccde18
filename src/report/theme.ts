/**
 * The colours of a chart. `cssTheme` takes them from the page's custom properties, so that one specification follows the reader's light or dark mode.
 */
export interface Theme {
  readonly ink: string;
  readonly muted: string;
  readonly grid: string;
  readonly background: string;
  /** Colour of the gaps between the cells of a heat map, equal to the colour behind the map. */
  readonly gap: string;
  /** Colour of the n-th method; 0 is the baseline. */
  readonly method: (index: number) => string;
  /** Whether the chart has its own legend of methods. Charts in the page have none, because the page has one legend for all. */
  readonly legend: boolean;
}

/**
 * The colours of methods, after Okabe and Ito's colour-blind-safe set. Yellow is left out because it cannot be read on white. The first colour, grey, is the
 * baseline's.
 */
export const METHOD_COLOURS = [
  { light: '#5b6470', dark: '#a9b1bb' },
  { light: '#0072b2', dark: '#4aa8e0' },
  { light: '#d55e00', dark: '#f08a3c' },
  { light: '#009e73', dark: '#35c99c' },
  { light: '#b8518f', dark: '#e08bbd' },
  { light: '#c98a00', dark: '#f0b93a' },
  { light: '#2b9fd6', dark: '#7ccbf2' },
  { light: '#6a51a3', dark: '#a993e0' },
] as const;

/** Shapes that tell methods apart when colours cannot. */
export const METHOD_SHAPES = [
  'circle',
  'square',
  'triangle-up',
  'diamond',
  'cross',
  'triangle-down',
  'triangle-right',
  'triangle-left',
] as const;

/**
 * The colours along two scales: `HEAT` for accuracies and losses, `SHARE` for shares of the length. They can be read on light and dark, and their lightness only
 * rises.
 */
export const HEAT = ['#2b1055', '#31688e', '#35b779', '#fde725'] as const;
export const SHARE = ['#10243e', '#2b6ca3', '#7fb8da', '#eaf4fb'] as const;

const colour = (index: number): (typeof METHOD_COLOURS)[number] => METHOD_COLOURS[index % METHOD_COLOURS.length] ?? METHOD_COLOURS[0];

export const lightTheme: Theme = {
  ink: '#1b1f24',
  muted: '#5b6470',
  grid: '#e3e5e8',
  background: '#ffffff',
  gap: '#ffffff',
  method: (index) => colour(index).light,
  legend: true,
};

export const cssTheme: Theme = {
  ink: 'var(--ink)',
  muted: 'var(--muted)',
  grid: 'var(--line)',
  background: 'transparent',
  gap: 'var(--card)',
  method: (index) => `var(--m${index % METHOD_COLOURS.length})`,
  legend: false,
};

const FONT = 'ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif';

/** The Vega-Lite config of a theme. */
export function chartConfig(theme: Theme): { readonly [key: string]: unknown } {
  const text = {
    labelColor: theme.muted,
    titleColor: theme.ink,
    labelFont: FONT,
    titleFont: FONT,
    labelFontSize: 12,
    titleFontSize: 12,
    titleFontWeight: 600,
  };
  return {
    background: theme.background,
    font: FONT,
    view: { stroke: null },
    axis: {
      ...text,
      gridColor: theme.grid,
      domainColor: theme.grid,
      tickColor: theme.grid,
      labelLimit: 150,
      labelSeparation: 6,
      titlePadding: 8,
    },
    legend: { ...text, orient: 'top', title: null, symbolStrokeWidth: 2, labelLimit: 240, columns: 4 },
    text: { color: theme.ink, font: FONT, fontSize: 11 },
  };
}
