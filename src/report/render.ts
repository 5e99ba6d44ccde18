import { parse, View, Warn } from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';
import type { VegaLiteSpec } from './chart.ts';

/** The Vega specification (JSON) of a Vega-Lite one, so that a page needs Vega's runtime only. */
export function compileSpec(spec: VegaLiteSpec): VegaLiteSpec {
  const silent = { warn: () => silent, info: () => silent, debug: () => silent, error: () => silent, level: () => silent };
  return compile(spec as unknown as TopLevelSpec, { logger: silent as never }).spec as unknown as VegaLiteSpec;
}

/** A chart as SVG text; drawn without a browser, text widths estimated. */
export async function renderSvg(spec: VegaLiteSpec): Promise<string> {
  const view = new View(parse(compileSpec(spec) as never), { renderer: 'none', logLevel: Warn });
  try {
    return `${await view.toSVG()}\n`;
  } finally {
    view.finalize();
  }
}
