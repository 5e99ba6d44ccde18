import { fileURLToPath } from 'node:url';
import { BLOCK_TOKENS, DEFAULT_SINK_TOKENS } from '../../core/blocks.ts';
import { loadPlan } from '../../plan/file.ts';
import { spansAt } from '../../plan/spans.ts';
import { visiblePairs } from '../kernel-cases.ts';

/** Spans of all layers, [layers][kvHeads]: slots (sink + window) of each head, in whole blocks. */
export type LayerSpans = readonly (readonly number[])[];

/** Published plans of these models; the package holds the files. */
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

/** Spans with the same number of blocks in every layer, but spread evenly over the heads of the layer. */
export function uniformOfEqualBytes(spans: LayerSpans): LayerSpans {
  return spans.map((row) => {
    const blocks = sum(row) / BLOCK_TOKENS;
    const extra = blocks % row.length;
    return row.map((_, head) => (Math.floor(blocks / row.length) + (head < extra ? 1 : 0)) * BLOCK_TOKENS);
  });
}

/** `heads` spans with the same distribution as `row`, largest first. */
export function resampled(row: readonly number[], heads: number): readonly number[] {
  const ordered = [...row].sort((a, b) => b - a);
  return Array.from({ length: heads }, (_, h) => ordered[Math.floor((h * row.length + Math.floor(row.length / 2)) / heads)] as number);
}

/** The longest span of a layer / the mean span of the layer. */
export function skewOf(row: readonly number[]): number {
  return Math.max(...row) / (sum(row) / row.length);
}

/** Index of the layer with the largest skew, see `skewOf`. */
export function mostSkewedLayer(spans: LayerSpans): number {
  const skews = spans.map(skewOf);
  return skews.indexOf(Math.max(...skews));
}

/** Index of the layer that is in the middle when layers are sorted by bytes. */
export function medianLayer(spans: LayerSpans): number {
  const byBytes = spans.map((row, layer) => ({ layer, slots: sum(row) })).sort((a, b) => a.slots - b.slots);
  return byBytes[Math.floor(spans.length / 2)]?.layer ?? 0;
}

/** Visible (query, key) pairs of a causal prefill over all heads of all layers. */
export function pairsOf(spans: LayerSpans, tokens: number): number {
  return sum(spans.flat().map((span) => visiblePairs(tokens, span)));
}

/** Shares of dense causal work that are left with these spans, over all heads: of visible pairs, and of tiles that hold a visible pair. */
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

/** Number of tiles of 128 rows x `keys` keys in which some row sees some key, for one head. */
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
