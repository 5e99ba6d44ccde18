import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { describe, MoaError } from '../core/errors.ts';
import { readJsonAs } from '../core/json-file.ts';
import { BYTES_PER_ELEMENT, type FloatDType } from '../native/backend.ts';
import { SafetensorsFile } from './safetensors-file.ts';
import type { TensorEntry } from './safetensors-header.ts';
import type { StoredTensor, WeightSource } from './weight-source.ts';

const SINGLE = 'model.safetensors';
const INDEX = 'model.safetensors.index.json';
const FLOATS: Readonly<Record<string, FloatDType>> = { F32: 'f32', F16: 'f16', BF16: 'bf16' };

const indexSchema = z.looseObject({
  weight_map: z.record(z.string(), z.string().regex(/^[^/\\]+\.safetensors$/, 'Expected a file name beside the index')),
});

/** Files of a Hugging Face folder's weights: one model.safetensors, or the shards of its index. @throws MoaError NOT_FOUND, INVALID_FILE. */
export function checkpointFiles(folder: string): readonly string[] {
  if (existsSync(join(folder, SINGLE))) return [join(folder, SINGLE)];
  if (!existsSync(join(folder, INDEX))) {
    throw new MoaError(`Expected ${SINGLE} or ${INDEX} in ${folder} but found neither`, {
      code: 'NOT_FOUND',
      hint: 'Only safetensors checkpoints are read; convert .bin files with transformers (save_pretrained), or use dummy:<config.json> for random weights.',
    });
  }
  const { weight_map } = readJsonAs(indexSchema, join(folder, INDEX), { what: 'an index of shards' });
  return [...new Set(Object.values(weight_map))].sort().map((file) => join(folder, file));
}

/** A folder's safetensors weights, whole or sharded. Headers are checked when opened; data is streamed. */
export class Checkpoint implements WeightSource {
  readonly #folder: string;
  readonly #files: readonly SafetensorsFile[];
  readonly #where = new Map<string, { readonly file: SafetensorsFile; readonly entry: TensorEntry }>();

  private constructor(folder: string, files: readonly SafetensorsFile[]) {
    this.#folder = folder;
    this.#files = files;
    for (const file of files) {
      for (const [name, entry] of file.entries) {
        if (this.#where.has(name)) {
          throw new MoaError(`Expected tensor ${describe(name)} in one shard but received it again in ${file.path}`, {
            code: 'INVALID_FILE',
          });
        }
        this.#where.set(name, { file, entry });
      }
    }
  }

  /** @throws MoaError NOT_FOUND, IO, INVALID_FILE. */
  static async open(folder: string): Promise<Checkpoint> {
    const files: SafetensorsFile[] = [];
    try {
      for (const path of checkpointFiles(folder)) files.push(await SafetensorsFile.open(path));
      return new Checkpoint(folder, files);
    } catch (error) {
      for (const file of files) await file.close();
      throw error;
    }
  }

  has(name: string): boolean {
    return this.#where.has(name);
  }

  describe(name: string): StoredTensor {
    const { entry } = this.#find(name);
    const dtype = Object.hasOwn(FLOATS, entry.dtype) ? FLOATS[entry.dtype] : undefined;
    if (dtype === undefined) {
      throw new MoaError(`Expected one of the dtypes F32, F16, BF16 for ${name} in ${this.#folder} but received ${entry.dtype}`, {
        code: 'UNSUPPORTED',
        hint: 'Convert the checkpoint to bf16, fp16 or fp32.',
      });
    }
    return { dtype, shape: entry.shape };
  }

  async readRows(name: string, start: number, rows: number, into: Uint8Array): Promise<void> {
    const { file, entry } = this.#find(name);
    const rowBytes = entry.shape.slice(1).reduce((n, d) => n * d, BYTES_PER_ELEMENT[this.describe(name).dtype]);
    if (into.length !== rows * rowBytes) {
      throw new MoaError(`Expected a buffer of ${rows * rowBytes} bytes for ${name} but received ${into.length}`, { code: 'INTERNAL' });
    }
    await file.read(entry, start * rowBytes, into);
  }

  async close(): Promise<void> {
    for (const file of this.#files) await file.close();
  }

  #find(name: string): { readonly file: SafetensorsFile; readonly entry: TensorEntry } {
    const found = this.#where.get(name);
    if (found === undefined) {
      throw new MoaError(`Expected tensor ${name} in ${this.#folder} but it is missing`, {
        code: 'INVALID_FILE',
        hint: 'The weights do not fit config.json (layers, tie_word_embeddings, biases), or a shard is missing.',
      });
    }
    return found;
  }
}
