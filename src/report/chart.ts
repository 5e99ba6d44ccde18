import { printableLine } from '../core/printable.ts';
import type { Summary } from '../summary/summary.ts';
import { chartConfig, METHOD_SHAPES, type Theme } from './theme.ts';

/** A Vega-Lite specification as plain JSON. */
export interface VegaLiteSpec {
  readonly [key: string]: unknown;
}

export type Datum = string | number | null;

/** A chart: its Vega-Lite specification, its data as a table, and its texts. */
export interface Chart {
  /** File name without extension. */
  readonly id: string;
  readonly section: 'overview' | 'retrieval' | 'scores' | 'speed' | 'rounds' | 'memory' | 'spans' | 'elastic' | 'fronts';
  /** Label of the method, when the chart shows only one. */
  readonly method?: string;
  readonly title: string;
  readonly caption: string;
  /** What the chart shows, for a reader who cannot see it. */
  readonly alt: string;
  /** Small charts stand side by side. */
  readonly size: 'wide' | 'small';
  readonly rows: readonly { readonly [column: string]: Datum }[];
  readonly spec: (theme: Theme) => VegaLiteSpec;
}

export interface MethodStyle {
  readonly id: string;
  /** Unique among the methods. */
  readonly label: string;
  /** Place in the palette; the baseline has 0. */
  readonly index: number;
}

/**
 * The label and the palette place of every method, in suite order, the same in every chart. A label is one line of visible characters. The baseline has place 0,
 * and the other methods have 1, 2, ... in suite order.
 */
export function methodStyles(summary: Pick<Summary, 'methods' | 'baseline'>): MethodStyle[] {
  const counts = new Map<string, number>();
  for (const { label } of summary.methods) counts.set(label, (counts.get(label) ?? 0) + 1);
  let next = 1;
  return summary.methods.map(({ id, label }) => ({
    id,
    // Vega looks labels up in plain objects, which already have properties such as `constructor`. Such a label gets the id added.
    label: printableLine(counts.get(label) === 1 && !(label in Object.prototype) ? label : `${label} (${id})`),
    index: id === summary.baseline ? 0 : next++,
  }));
}

interface FrameOptions {
  readonly theme: Theme;
  readonly alt: string;
  readonly width: number;
  readonly height: number;
  readonly rows: Chart['rows'];
  /** The methods that the page can show or hide, by their label in the field `method`. Empty: the chart has no filter. */
  readonly styles: readonly MethodStyle[];
  readonly layer: readonly VegaLiteSpec[];
  readonly extra?: VegaLiteSpec;
}

/** A layered chart with the theme, the data, and the filter of methods (signal `shown`), which the page's buttons set. */
export function frame({ theme, alt, width, height, rows, styles, layer, extra = {} }: FrameOptions): VegaLiteSpec {
  const filter =
    styles.length === 0
      ? {}
      : {
          params: [{ name: 'shown', value: styles.map((style) => style.label) }],
          transform: [{ filter: 'indexof(shown, datum.method) >= 0' }],
        };
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    description: alt,
    width,
    height,
    autosize: { type: 'fit-x', contains: 'padding' },
    padding: 4,
    config: chartConfig(theme),
    data: { values: rows },
    ...filter,
    layer,
    ...extra,
  };
}

/** The symbols of the legend are opaque, also when the mark itself (a band) is faint. */
const LEGEND = { symbolOpacity: 1, symbolSize: 80 };

/** The colour encoding by method. All charts have the same domain. */
export function methodColour(styles: readonly MethodStyle[], theme: Theme): VegaLiteSpec {
  const scale = { domain: styles.map((style) => style.label), range: styles.map((style) => theme.method(style.index)) };
  return { field: 'method', type: 'nominal', scale, legend: theme.legend ? LEGEND : null };
}

/** The shape encoding by method. Its legend merges with the legend of colours. */
export function methodShape(styles: readonly MethodStyle[], theme: Theme): VegaLiteSpec {
  const range = styles.map((style) => METHOD_SHAPES[style.index % METHOD_SHAPES.length]);
  return {
    field: 'method',
    type: 'nominal',
    scale: { domain: styles.map((style) => style.label), range },
    legend: theme.legend ? LEGEND : null,
  };
}

/** The tooltip encoding for fields with their titles and, for numbers, d3 formats. */
export function tooltip(...fields: readonly (readonly [field: string, title: string, format?: string])[]): VegaLiteSpec[] {
  return fields.map(([field, title, format]) => ({ field, title, ...(format === undefined ? {} : { format, type: 'quantitative' }) }));
}

/** A Vega expression for the labels of an axis of lengths: `4k` for 4096. */
export const LENGTH_LABEL = "datum.value % 1024 === 0 ? format(datum.value / 1024, ',') + 'k' : format(datum.value, ',')";
