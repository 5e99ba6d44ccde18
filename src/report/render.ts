import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse, View, Warn } from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';
import { MoaError } from '../core/errors.ts';
import { ioError } from '../core/files.ts';
import type { VegaLiteSpec } from './chart.ts';

/** The Vega specification (JSON) of a Vega-Lite specification, so that the page needs only Vega's runtime. */
export function compileSpec(spec: VegaLiteSpec): VegaLiteSpec {
  const silent = { warn: () => silent, info: () => silent, debug: () => silent, error: () => silent, level: () => silent };
  return compile(spec as unknown as TopLevelSpec, { logger: silent as never }).spec as unknown as VegaLiteSpec;
}

/** A chart as SVG text. It is drawn without a browser, so the widths of texts are estimates. */
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

/**
 * Vega's browser build, from the installed package.
 * @throws MoaError NOT_FOUND or IO when it cannot be read; INTERNAL when it has a closing script tag, which would end the page's script element.
 */
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
