import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse, View, Warn } from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';
import { MoaError } from '../core/errors.ts';
import { ioError } from '../core/files.ts';
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

/** Vega's browser build. */
export interface VegaRuntime {
  readonly source: string;
}

/** Reads Vega's browser build from the installed package. A closing script tag inside would end the element, so it is refused. */
export function loadVegaRuntime(): VegaRuntime {
  const path = fileURLToPath(new URL('vega.min.js', import.meta.resolve('vega')));
  let source: string;
  try {
    source = readFileSync(path, 'utf8');
  } catch (cause) {
    throw ioError(path, 'read', cause);
  }
  if (/<\/script|<!--/i.test(source)) throw new MoaError(`Expected no script tag in ${path}`, { code: 'INTERNAL' });
  return { source: source.replace(/\n\/\/# sourceMappingURL=.*$/m, '') };
}
