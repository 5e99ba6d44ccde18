import { fileURLToPath } from 'node:url';
import { importPublished, readPublished } from '../../src/plan/import.ts';
import type { Plan } from '../../src/plan/schema.ts';

/** Path of a published plan file. */
export function publishedPath(file: string): string {
  return fileURLToPath(new URL(`../fixtures/plans/${file}.json`, import.meta.url));
}

/** A published plan with the given heads; `kvHeads` defaults to one per query head. */
export function published(file: string, shape: { layers: number; heads: number; kvHeads?: number }, lengths: number[]) {
  const { layers, heads, kvHeads = heads } = shape;
  const model: Plan['model'] = { name: file, weightsHash: null, layers, heads, kvHeads, headDim: 128 };
  return importPublished(readPublished(publishedPath(file)), { name: file, model, lengths, source: `${file}.json` });
}
