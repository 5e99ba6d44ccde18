import { z } from 'zod';
import { describe, MoaError } from '../../../core/errors.ts';
import { BYTES_PER_ELEMENT, type FloatDType, type Tensor } from '../../../native/backend.ts';
import { modelFile, readModelJson } from '../model-files.ts';
import { SafetensorsFile } from './safetensors-file.ts';
import type { TensorEntry } from './safetensors-header.ts';
import type { StoredTensor, WeightSource } from './weight-source.ts';

const SINGLE = 'model.safetensors';
const INDEX = 'model.safetensors.index.json';
/** Host memory for a chunk of rows in flight: large enough for sequential disk speed, small beside any model. */
const CHUNK_BYTES = 4 * 2 ** 20;
/** Maximum number of shards that are open at once. A layer lies in one shard or in two, so reading layer after layer needs no third. */
const OPEN_SHARDS = 2;
const FLOATS: Readonly<Record<string, FloatDType>> = { F32: 'f32', F16: 'f16', BF16: 'bf16' };

const indexSchema = z.looseObject({
  weight_map: z.record(z.string(), z.string().regex(/^[^/\\]+\.safetensors$/, 'Expected a file name beside the index')),
});

/** Files of a Hugging Face folder's weights: one model.safetensors, or the shards of its index. @throws MoaError NOT_FOUND, INVALID_FILE. */
export function checkpointFiles(folder: string): readonly string[] {
  const single = modelFile(folder, SINGLE);
  if (single !== null) return [single];
  if (modelFile(folder, INDEX) === null) {
    throw new MoaError(`Expected ${SINGLE} or ${INDEX} in ${folder} but found neither`, {
      code: 'NOT_FOUND',
      hint: 'Only safetensors checkpoints are read; convert .bin files with transformers (save_pretrained), or use dummy:<config.json> for random weights.',
    });
  }
  const { weight_map } = readModelJson(indexSchema, folder, INDEX, 'an index of shards');
  return [...new Set(Object.values(weight_map))].sort().map((file) => shardFile(folder, file));
}

function shardFile(folder: string, file: string): string {
  const path = modelFile(folder, file);
  if (path !== null) return path;
  throw new MoaError(`Expected ${file} in ${folder}, which ${INDEX} names, but it is missing`, { code: 'NOT_FOUND' });
}

/**
 * A folder's safetensors weights, whole or sharded. Headers are checked when opened; data is streamed, with one chunk of rows in host memory
 * and at most two shards open.
 */
export class Checkpoint implements WeightSource {
  readonly #folder: string;
  readonly #where = new Map<string, { readonly file: SafetensorsFile; readonly entry: TensorEntry }>();
  /** Open shards, in the order of their last use. */
  readonly #open = new Set<SafetensorsFile>();
  #buffer = new Uint8Array(0);

  private constructor(folder: string, files: readonly SafetensorsFile[]) {
    this.#folder = folder;
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

  /** Opens the weights of a folder and checks their headers. @throws MoaError NOT_FOUND, IO, INVALID_FILE. */
  static async open(folder: string): Promise<Checkpoint> {
    const files: SafetensorsFile[] = [];
    for (const path of checkpointFiles(folder)) {
      const file = await SafetensorsFile.open(path);
      await file.close();
      files.push(file);
    }
    return new Checkpoint(folder, files);
  }

  /** Every tensor that is stored, whether a model needs it or not. */
  get names(): Iterable<string> {
    return this.#where.keys();
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

  /** Raw little-endian elements of rows [start, start + rows) of the leading dimension into `into`, which has exactly their size. */
  async readRows(name: string, start: number, rows: number, into: Uint8Array): Promise<void> {
    const { file, entry } = this.#find(name);
    const rowBytes = entry.shape.slice(1).reduce((n, d) => n * d, BYTES_PER_ELEMENT[this.describe(name).dtype]);
    if (into.length !== rows * rowBytes) {
      throw new MoaError(`Expected a buffer of ${rows * rowBytes} bytes for ${name} but received ${into.length}`, { code: 'INTERNAL' });
    }
    this.#open.delete(file);
    this.#open.add(file);
    await this.#closeAllBut(OPEN_SHARDS);
    await file.read(entry, start * rowBytes, into);
  }

  async copyTo(name: string, into: Tensor, onBytes: (bytes: number) => Promise<void>): Promise<void> {
    const { dtype, shape } = this.describe(name);
    const rows = shape[0] ?? 0;
    const rowBytes = shape.slice(1).reduce((n, d) => n * d, BYTES_PER_ELEMENT[dtype]);
    const step = Math.max(1, Math.floor(CHUNK_BYTES / rowBytes));
    for (let start = 0; start < rows; start += step) {
      const count = Math.min(step, rows - start);
      if (this.#buffer.length < count * rowBytes) this.#buffer = new Uint8Array(count * rowBytes);
      const chunk = this.#buffer.subarray(0, count * rowBytes);
      await this.readRows(name, start, count, chunk);
      into.rows(start, count).write(chunk, dtype);
      await onBytes(chunk.length);
    }
  }

  async close(): Promise<void> {
    await this.#closeAllBut(0);
  }

  async #closeAllBut(newest: number): Promise<void> {
    for (const file of this.#open) {
      if (this.#open.size <= newest) break;
      this.#open.delete(file);
      await file.close();
    }
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
