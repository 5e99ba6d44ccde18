import { copyFileSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SafetensorsFile } from '../../src/model/format/weights/safetensors-file.ts';

/** Folder of the goldens that scripts/golden writes. */
export const GOLDENS = new URL('../golden/models/', import.meta.url).pathname;
export const REFERENCE = new URL('../../models/reference/', import.meta.url).pathname;

/** Folders that have none of their own: one checkpoint under several configurations. */
const SHARED_WEIGHTS = `${GOLDENS}llama3/model.safetensors`;

/** The model folder of a golden, whole: with the shared weights where it has none. */
export function goldenModel(name: string): string {
  const own = `${GOLDENS}${name}`;
  if (readdirSync(own).some((file) => file.startsWith('model'))) return own;
  const folder = mkdtempSync(join(tmpdir(), `${name}-`));
  for (const file of ['config.json', 'golden.json', 'golden.safetensors']) copyFileSync(join(own, file), join(folder, file));
  copyFileSync(SHARED_WEIGHTS, join(folder, 'model.safetensors'));
  return folder;
}

export interface ModelGolden {
  readonly tokens: Int32Array;
  readonly answerStart: number;
  readonly answerLoss: number;
  readonly rows: readonly number[];
  readonly continuation: readonly number[];
  readonly epsilons: readonly number[];
  readonly sink: number;
  readonly bins: number;
}

export function readGolden(name: string): ModelGolden {
  const json = JSON.parse(readFileSync(`${GOLDENS}${name}/golden.json`, 'utf8')) as ModelGolden;
  return { ...json, tokens: Int32Array.from(json.tokens) };
}

/** An F32 or F64 array of a safetensors file, as float64. */
export async function readArray(path: string, name: string): Promise<Float64Array> {
  const file = await SafetensorsFile.open(path);
  try {
    const entry = file.entries.get(name);
    if (entry === undefined) throw new Error(`${path} has no ${name}`);
    const bytes = new Uint8Array(entry.end - entry.begin);
    await file.read(entry, 0, bytes);
    return entry.dtype === 'F64' ? new Float64Array(bytes.buffer) : Float64Array.from(new Float32Array(bytes.buffer));
  } finally {
    await file.close();
  }
}

/** Rows 0, 2, 4, ... of [tokens, width]: what the goldens keep of gradients. */
export function everySecondRow(values: ArrayLike<number>, tokens: number): Float64Array {
  const width = values.length / tokens;
  return Float64Array.from(values).filter((_, i) => Math.floor(i / width) % 2 === 0);
}

/** Largest |actual - expected| over the largest |expected|. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let [worst, scale] = [actual.length === expected.length ? 0 : Number.POSITIVE_INFINITY, 0];
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs((actual[i] as number) - (expected[i] as number));
    worst = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(worst, difference);
    scale = Math.max(scale, Math.abs(expected[i] as number));
  }
  return worst / scale;
}
