import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { MoaError } from '../../../core/errors.ts';
import { ioError } from '../../../core/files.ts';
import { headerLength, PREFIX_BYTES, parseHeader, type TensorEntry } from './safetensors-header.ts';

/** A safetensors file: its header checked, its data read on demand. A closed file is opened again by the next read. */
export class SafetensorsFile {
  readonly path: string;
  readonly entries: ReadonlyMap<string, TensorEntry>;
  #handle: FileHandle | null;

  private constructor(path: string, handle: FileHandle, entries: readonly TensorEntry[]) {
    this.path = path;
    this.#handle = handle;
    this.entries = new Map(entries.map((e) => [e.name, e]));
  }

  /** @throws MoaError NOT_FOUND, IO or INVALID_FILE. */
  static async open(path: string): Promise<SafetensorsFile> {
    const handle = await openFile(path);
    try {
      const stat = await handle.stat();
      if (!stat.isFile())
        throw new MoaError(`Expected a file for ${path} but received a folder, a pipe or a device`, { code: 'INVALID_FILE' });
      const prefix = new Uint8Array(PREFIX_BYTES);
      const got = await readFully(handle, prefix, { position: 0, path });
      const header = new Uint8Array(headerLength(prefix.subarray(0, got), stat.size, path));
      await readFully(handle, header, { position: PREFIX_BYTES, path });
      return new SafetensorsFile(path, handle, parseHeader(header, stat.size, path));
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Reads bytes [start, start + into.length) of a tensor's data into `into`. @throws MoaError NOT_FOUND, IO, or INVALID_FILE when the file shrank. */
  async read(entry: TensorEntry, start: number, into: Uint8Array): Promise<void> {
    this.#handle ??= await openFile(this.path);
    const got = await readFully(this.#handle, into, { position: entry.begin + start, path: this.path });
    if (got !== into.length) {
      throw new MoaError(`Expected ${into.length} bytes for ${entry.name} in ${this.path} but received ${got}`, { code: 'INVALID_FILE' });
    }
  }

  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = null;
    await handle?.close();
  }
}

async function openFile(path: string): Promise<FileHandle> {
  // Without blocking, so that a pipe is refused and not waited for.
  return open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((cause) => {
    throw ioError(path, 'read', cause);
  });
}

/** Reads until `into` is full or the file ends; gives the count. */
async function readFully(handle: FileHandle, into: Uint8Array, at: { readonly position: number; readonly path: string }): Promise<number> {
  let done = 0;
  while (done < into.length) {
    const { bytesRead } = await handle.read(into, done, into.length - done, at.position + done).catch((cause) => {
      throw ioError(at.path, 'read', cause);
    });
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return done;
}
