import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { importPublished, readPublished } from '../../src/plan/import.ts';
import type { Plan } from '../../src/plan/schema.ts';

/** Path of a published plan file; one that is kept compressed is unpacked for it. */
export function publishedPath(file: string): string {
  const path = fileURLToPath(new URL(`../fixtures/plans/${file}.json`, import.meta.url));
  if (existsSync(path)) return path;
  const unpacked = join(mkdtempSync(join(tmpdir(), 'published-')), `${file}.json`);
  writeFileSync(unpacked, gunzipSync(readFileSync(`${path}.gz`)));
  return unpacked;
}

/** A published plan with the given heads; `kvHeads` defaults to one per query head. */
export function published(file: string, shape: { layers: number; heads: number; kvHeads?: number }, lengths: number[]) {
  const { layers, heads, kvHeads = heads } = shape;
  const model: Plan['model'] = { name: file, weightsHash: null, layers, heads, kvHeads, headDim: 128 };
  return importPublished(readPublished(publishedPath(file)), { name: file, model, lengths, source: `${file}.json` });
}
