import { cpSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Checkpoint, checkpointFiles } from '../../../../src/model/format/weights/checkpoint.ts';
import { EMBEDDING, layerName } from '../../../../src/model/format/weights/weight-names.ts';
import { GOLDENS, goldenModel } from '../../golden-model.ts';

function copyOf(model: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'moabench-checkpoint-'));
  cpSync(goldenModel(model), folder, { recursive: true });
  return folder;
}

/** A safetensors file of one-dimensional U8 or float tensors of zeros. */
function writeSafetensors(
  path: string,
  tensors: readonly { readonly name: string; readonly dtype: string; readonly bytes: number }[],
): void {
  let at = 0;
  const entries = tensors.map(({ name, dtype, bytes }) => {
    const elements = bytes / (dtype === 'F64' ? 8 : dtype === 'F32' ? 4 : dtype === 'F8_E4M3' ? 1 : 2);
    const entry = [name, { dtype, shape: [elements], data_offsets: [at, at + bytes] }];
    at += bytes;
    return entry;
  });
  const header = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(header.length));
  writeFileSync(path, Buffer.concat([prefix, header, Buffer.alloc(at)]));
}

/** Names of a folder's files that this process has open (Linux). */
function openFiles(folder: string): string[] {
  const targets = readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)];
    } catch {
      return []; // the listing's own descriptor
    }
  });
  return targets.flatMap((target) => (target.startsWith(`${folder}/`) ? [target.slice(folder.length + 1)] : [])).sort();
}

describe('Checkpoint', () => {
  test('finds every tensor over the shards, and reads runs of rows', async () => {
    const checkpoint = await Checkpoint.open(join(GOLDENS, 'mistral'));
    try {
      expect(checkpoint.describe(EMBEDDING)).toEqual({ dtype: 'f16', shape: [128, 64] });
      expect(checkpoint.describe(layerName(1, 'mlp.up_proj.weight'))).toEqual({ dtype: 'f16', shape: [32, 64] });
      const all = new Uint8Array(128 * 64 * 2);
      await checkpoint.readRows(EMBEDDING, 0, 128, all);
      const some = new Uint8Array(3 * 64 * 2);
      await checkpoint.readRows(EMBEDDING, 125, 3, some);
      expect(some).toEqual(all.subarray(125 * 64 * 2));
      expect(new Set(all).size).toBeGreaterThan(100);
    } finally {
      await checkpoint.close();
    }
  });

  test('lists shards in name order', () => {
    expect(checkpointFiles(join(GOLDENS, 'mistral')).map((f) => f.split('/').at(-1))).toEqual([
      'model-00001-of-00002.safetensors',
      'model-00002-of-00002.safetensors',
    ]);
  });

  test('names a missing shard, a missing tensor, a missing checkpoint', async () => {
    const folder = copyOf('mistral');
    const checkpoint = await Checkpoint.open(folder);
    expect(() => checkpoint.describe('model.layers.9.mlp.up_proj.weight')).toThrow(
      expect.objectContaining({ code: 'INVALID_FILE', message: expect.stringContaining('layers.9') }),
    );
    await checkpoint.close();
    rmSync(join(folder, 'model-00002-of-00002.safetensors'));
    await expect(Checkpoint.open(folder)).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining('model-00002-of-00002'),
    });
    rmSync(join(folder, 'model.safetensors.index.json'));
    await expect(Checkpoint.open(folder)).rejects.toMatchObject({ code: 'NOT_FOUND', message: expect.stringContaining(folder) });
  });

  test.each([['../model.safetensors'], ['/etc/passwd'], ['model.bin']])('rejects the shard name %s', async (file) => {
    const folder = copyOf('mistral');
    writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify({ weight_map: { [EMBEDDING]: file } }));
    await expect(Checkpoint.open(folder)).rejects.toMatchObject({ code: 'INVALID_FILE', found: JSON.stringify(file) });
  });

  test('rejects a tensor in two shards', async () => {
    const folder = copyOf('mistral');
    const [first, second] = checkpointFiles(folder) as [string, string];
    writeFileSync(second, readFileSync(first));
    await expect(Checkpoint.open(folder)).rejects.toMatchObject({
      code: 'INVALID_FILE',
      message: expect.stringContaining('model-00002-of-00002'),
    });
  });

  test('rejects a truncated file, at every kind of place', async () => {
    for (const bytes of [0, 5, 8, 100, 4000]) {
      const folder = copyOf('llama3');
      truncateSync(join(folder, 'model.safetensors'), bytes);
      await expect(Checkpoint.open(folder)).rejects.toMatchObject({
        code: 'INVALID_FILE',
        message: expect.stringContaining('model.safetensors'),
      });
    }
  });

  test('rejects a file that shrinks while it is read', async () => {
    const folder = copyOf('llama3');
    const checkpoint = await Checkpoint.open(folder);
    truncateSync(join(folder, 'model.safetensors'), 5000);
    await expect(checkpoint.readRows(EMBEDDING, 0, 128, new Uint8Array(128 * 64 * 2))).rejects.toMatchObject({ code: 'INVALID_FILE' });
    await checkpoint.close();
  });

  test('has at most two shards open, the last used', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'moabench-checkpoint-'));
    const files = ['a', 'b', 'c', 'd'].map((name) => `${name}.safetensors`);
    files.forEach((file) => {
      writeSafetensors(join(folder, file), [{ name: file, dtype: 'BF16', bytes: 16 }]);
    });
    writeFileSync(
      join(folder, 'model.safetensors.index.json'),
      JSON.stringify({ weight_map: Object.fromEntries(files.map((f) => [f, f])) }),
    );
    const checkpoint = await Checkpoint.open(folder);
    expect(openFiles(folder)).toEqual([]);
    for (const [file, open] of [
      ['a', 'a'],
      ['b', 'ab'],
      ['a', 'ab'],
      ['d', 'ad'],
      ['c', 'cd'],
    ] as const) {
      await checkpoint.readRows(`${file}.safetensors`, 0, 8, new Uint8Array(16));
      expect(openFiles(folder)).toEqual([...open].map((f) => `${f}.safetensors`));
    }
    await checkpoint.close();
    expect(openFiles(folder)).toEqual([]);
  });

  test('says which dtypes are supported', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'moabench-checkpoint-'));
    writeSafetensors(join(folder, 'model.safetensors'), [
      { name: 'a', dtype: 'F8_E4M3', bytes: 16 },
      { name: 'b', dtype: 'F64', bytes: 16 },
      { name: 'c', dtype: 'BF16', bytes: 16 },
    ]);
    const checkpoint = await Checkpoint.open(folder);
    for (const [name, dtype] of [
      ['a', 'F8_E4M3'],
      ['b', 'F64'],
    ] as const) {
      expect(() => checkpoint.describe(name)).toThrow(
        expect.objectContaining({ code: 'UNSUPPORTED', message: expect.stringMatching(`F32, F16, BF16.*${dtype}`) }),
      );
    }
    expect(checkpoint.describe('c')).toEqual({ dtype: 'bf16', shape: [8] });
    await checkpoint.close();
  });

  test('a folder in the place of the file is a typed error', async () => {
    const folder = copyOf('llama3');
    renameSync(join(folder, 'model.safetensors'), join(folder, 'x'));
    cpSync(`${GOLDENS}llama2`, join(folder, 'model.safetensors'), { recursive: true });
    await expect(Checkpoint.open(folder)).rejects.toMatchObject({ name: 'MoaError' });
  });
});
