import { fileURLToPath } from 'node:url';
import { BLOCK_TOKENS, DEFAULT_SINK_TOKENS } from '../../core/blocks.ts';
import { loadPlan } from '../../plan/file.ts';
import { spansAt } from '../../plan/spans.ts';
import { visiblePairs } from '../kernel-cases.ts';

/** Spans of the layers: [layers][kvHeads], slots (sink + window), whole blocks. */
export type LayerSpans = readonly (readonly number[])[];

/** Plans that were published for these models, in the package. */
const PUBLISHED = { 'vicuna-7b': 'vicuna-7b.moa.json', 'vicuna-13b': 'vicuna-13b.moa.json' } as const;
export type PublishedName = keyof typeof PUBLISHED;

export function publishedPath(name: PublishedName): string {
  return fileURLToPath(new URL(`../../../suites/plans/${PUBLISHED[name]}`, import.meta.url));
}

/** Spans of a published plan at N = `tokens`. */
export function publishedSpans(name: PublishedName, tokens: number): LayerSpans {
  const plan = loadPlan(publishedPath(name));
  const { layers, kvHeads } = plan.model;
  const spans = spansAt(plan, tokens);
  return Array.from({ length: layers }, (_, layer) => [...spans.subarray(layer * kvHeads, (layer + 1) * kvHeads)]);
}

/** The same number of blocks in every row, dealt out evenly. */
export function uniformOfEqualBytes(spans: LayerSpans): LayerSpans {
  return spans.map((row) => {
    const blocks = sum(row) / BLOCK_TOKENS;
    const extra = blocks % row.length;
    return row.map((_, head) => (Math.floor(blocks / row.length) + (head < extra ? 1 : 0)) * BLOCK_TOKENS);
  });
}

/** `heads` spans distributed as `row`, largest first. */
export function resampled(row: readonly number[], heads: number): readonly number[] {
  const ordered = [...row].sort((a, b) => b - a);
  return Array.from({ length: heads }, (_, h) => ordered[Math.floor((h * row.length + Math.floor(row.length / 2)) / heads)] as number);
}

/** Longest head over the mean of a layer. */
export function skewOf(row: readonly number[]): number {
  return Math.max(...row) / (sum(row) / row.length);
}

/** The layer whose longest head exceeds its mean the most. */
export function mostSkewedLayer(spans: LayerSpans): number {
  const skews = spans.map(skewOf);
  return skews.indexOf(Math.max(...skews));
}

/** The layer in the middle by bytes. */
export function medianLayer(spans: LayerSpans): number {
  const byBytes = spans.map((row, layer) => ({ layer, slots: sum(row) })).sort((a, b) => a.slots - b.slots);
  return byBytes[Math.floor(spans.length / 2)]?.layer ?? 0;
}

/** Visible (query, key) pairs of a causal prefill over all heads of all layers. */
export function pairsOf(spans: LayerSpans, tokens: number): number {
  return sum(spans.flat().map((span) => visiblePairs(tokens, span)));
}

/** Of dense causal work, over all heads: visible pairs, and tiles of 128 rows and 128 or 64 keys that have one. */
export function liveFractions(spans: LayerSpans, tokens: number): Readonly<Record<string, number>> {
  const heads = spans.flat();
  const tiles = (keys: number): number => {
    const counts = new Map([...new Set(heads)].map((span) => [span, liveTiles(span, tokens, keys)]));
    const dense = liveTiles(Number.MAX_SAFE_INTEGER, tokens, keys);
    return sum(heads.map((span) => counts.get(span) ?? 0)) / (dense * heads.length);
  };
  const dense = visiblePairs(tokens, tokens) * heads.length;
  return { pairs: pairsOf(spans, tokens) / dense, 'tiles of 128 x 128': tiles(128), 'tiles of 128 x 64': tiles(64) };
}

/** Tiles of 128 rows x `keys` in which a row sees a key, for one head. */
function liveTiles(span: number, tokens: number, keys: number): number {
  const rows = 128;
  let live = 0;
  for (let row = 0; row < tokens; row += rows) {
    const lastRow = Math.min(row + rows, tokens) - 1;
    for (let key = 0; key <= lastRow; key += keys) {
      const lastKey = Math.min(key + keys, tokens) - 1;
      if (key < DEFAULT_SINK_TOKENS || Math.max(row - lastKey, 0) < span - DEFAULT_SINK_TOKENS) live++;
    }
  }
  return live;
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}
