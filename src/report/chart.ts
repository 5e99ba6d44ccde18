import { printableLine } from '../core/printable.ts';
import type { Summary } from '../summary/summary.ts';
import { chartConfig, METHOD_SHAPES, type Theme } from './theme.ts';

/** A Vega-Lite specification as plain JSON. */
export interface VegaLiteSpec {
  readonly [key: string]: unknown;
}

export type Datum = string | number | null;

/** A figure: its picture, its data as a table, and its words. */
export interface Chart {
  /** File name without extension. */
  readonly id: string;
  readonly section: 'overview' | 'retrieval' | 'scores' | 'speed' | 'rounds' | 'memory' | 'spans' | 'elastic' | 'fronts';
  /** Label of the one method that it shows. */
  readonly method?: string;
  readonly title: string;
  readonly caption: string;
  /** What a reader who cannot see it should know. */
  readonly alt: string;
  /** Small ones stand side by side. */
  readonly size: 'wide' | 'small';
  readonly rows: readonly { readonly [column: string]: Datum }[];
  readonly spec: (theme: Theme) => VegaLiteSpec;
}

export interface MethodStyle {
  readonly id: string;
  /** Unique. */
  readonly label: string;
  /** Position in the palette; 0 is the baseline. */
  readonly index: number;
}

/** Labels (one line, nothing in them but what is seen) and palette places of a suite's methods: the baseline first, then in suite order, equal in every chart. */
export function methodStyles(summary: Pick<Summary, 'methods' | 'baseline'>): MethodStyle[] {
  const counts = new Map<string, number>();
  for (const { label } of summary.methods) counts.set(label, (counts.get(label) ?? 0) + 1);
  let next = 1;
  return summary.methods.map(({ id, label }) => ({
    id,
    // Vega looks groups up in plain objects, where `constructor` and its like are there already.
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
  /** Methods that can be filtered by their label in the field `method`; none: no filter. */
  readonly styles: readonly MethodStyle[];
  readonly layer: readonly VegaLiteSpec[];
  readonly extra?: VegaLiteSpec;
}

/** A layered chart with the theme, the data and the method filter (signal `shown`) that the page drives. */
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

/** Full symbols, also where a mark (a band) is faint. */
const LEGEND = { symbolOpacity: 1, symbolSize: 80 };

/** Colour by method, with one domain for all charts. */
export function methodColour(styles: readonly MethodStyle[], theme: Theme): VegaLiteSpec {
  const scale = { domain: styles.map((style) => style.label), range: styles.map((style) => theme.method(style.index)) };
  return { field: 'method', type: 'nominal', scale, legend: theme.legend ? LEGEND : null };
}

/** Shape by method, merged with the colour legend. */
export function methodShape(styles: readonly MethodStyle[], theme: Theme): VegaLiteSpec {
  const range = styles.map((style) => METHOD_SHAPES[style.index % METHOD_SHAPES.length]);
  return {
    field: 'method',
    type: 'nominal',
    scale: { domain: styles.map((style) => style.label), range },
    legend: theme.legend ? LEGEND : null,
  };
}

/** A tooltip of fields with titles and d3 formats. */
export function tooltip(...fields: readonly (readonly [field: string, title: string, format?: string])[]): VegaLiteSpec[] {
  return fields.map(([field, title, format]) => ({ field, title, ...(format === undefined ? {} : { format, type: 'quantitative' }) }));
}

/** Axis of lengths: `4k` for 4096. */
export const LENGTH_LABEL = "datum.value % 1024 === 0 ? format(datum.value / 1024, ',') + 'k' : format(datum.value, ',')";
