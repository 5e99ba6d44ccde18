import { z } from 'zod';
import { describe, MoaError } from '../../../core/errors.ts';
import { parseJson, parseOrThrow } from '../../../core/json-file.ts';

/** Where a tensor lies in a safetensors file; `begin` and `end` are byte offsets from the start of the file. */
export interface TensorEntry {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/** Bits per element of the format's types; those under 8 bits are known so that their files give a clear UNSUPPORTED later. */
const BITS: Readonly<Record<string, number>> = {
  F64: 64,
  I64: 64,
  U64: 64,
  C64: 64,
  F32: 32,
  I32: 32,
  U32: 32,
  F16: 16,
  BF16: 16,
  I16: 16,
  U16: 16,
  I8: 8,
  U8: 8,
  BOOL: 8,
  F8_E4M3: 8,
  F8_E5M2: 8,
  F8_E8M0: 8,
  F6_E2M3: 6,
  F6_E3M2: 6,
  F4: 4,
};

/** The format's own limit on the header, 100 MB: a false length must not allocate more. */
export const MAX_HEADER_BYTES = 100_000_000;
/** The largest models known have fewer than 100,000 tensors over all their files. */
const MAX_TENSORS = 200_000;
/** Bytes before the header: its length as a little-endian 64-bit integer. */
export const PREFIX_BYTES = 8;

const entrySchema = z.strictObject({
  dtype: z.string(),
  shape: z.array(z.int().min(0)).max(16),
  data_offsets: z.tuple([z.int().min(0), z.int().min(0)]),
});
const metadataSchema = z.record(z.string(), z.string());

/** The header's length from the file's first 8 bytes. @throws MoaError INVALID_FILE when the file cannot hold that. */
export function headerLength(prefix: Uint8Array, fileBytes: number, source: string): number {
  if (prefix.length < PREFIX_BYTES) throw invalid(source, `at least ${PREFIX_BYTES} bytes`, prefix.length);
  const length = new DataView(prefix.buffer, prefix.byteOffset, PREFIX_BYTES).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES)) throw invalid(source, `a header of at most ${MAX_HEADER_BYTES} bytes`, length);
  if (Number(length) + PREFIX_BYTES > fileBytes) throw invalid(source, `a header within the file's ${fileBytes} bytes`, length);
  return Number(length);
}

/**
 * The tensors that a header describes, in file order. Checks everything the format promises: known types, byte counts that fit
 * the shapes, no duplicate names, and data that tiles the rest of the file without a gap, an overlap or an end beyond the file.
 * @throws MoaError INVALID_FILE naming the file, the tensor and the value.
 */
export function parseHeader(header: Uint8Array, fileBytes: number, source: string): readonly TensorEntry[] {
  const text = decodeUtf8(header, source);
  if (!text.startsWith('{')) throw invalid(source, "a header that starts with '{'", text.slice(0, 20));
  // Not through zod's record, which would drop a tensor named __proto__.
  const json = parseJson(text, source) as Readonly<Record<string, unknown>>;
  const tensors = Object.keys(json).length;
  if (tensors > MAX_TENSORS) throw invalid(source, `at most ${MAX_TENSORS} tensors`, tensors);
  checkDuplicateNames(text, source);
  const dataStart = PREFIX_BYTES + header.length;
  const entries: TensorEntry[] = [];
  for (const [name, value] of Object.entries(json)) {
    if (name === '__metadata__') parseOrThrow(metadataSchema, value, { what: 'strings', path: `__metadata__ in ${source}` });
    else entries.push(parseEntry(name, value, { dataStart, source }));
  }
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  checkTiling(entries, { dataStart, fileBytes, source });
  return entries;
}

function parseEntry(name: string, value: unknown, at: { readonly dataStart: number; readonly source: string }): TensorEntry {
  const label = `${describe(name)} in ${at.source}`;
  const { dtype, shape, data_offsets: offsets } = parseOrThrow(entrySchema, value, { what: 'dtype, shape and data_offsets', path: label });
  const bits = Object.hasOwn(BITS, dtype) ? BITS[dtype] : undefined;
  if (bits === undefined) throw invalid(label, `one of the types ${Object.keys(BITS).join(', ')}`, dtype);
  const elements = shape.reduce((product, n) => product * BigInt(n), 1n);
  const bytes = (elements * BigInt(bits)) / 8n;
  if ((elements * BigInt(bits)) % 8n !== 0n) throw invalid(label, 'a whole number of bytes', shape);
  if (bytes !== BigInt(offsets[1]) - BigInt(offsets[0])) {
    throw invalid(label, `data_offsets ${bytes} bytes apart (shape ${describe(shape)} of ${dtype})`, offsets);
  }
  return { name, dtype, shape, begin: at.dataStart + offsets[0], end: at.dataStart + offsets[1] };
}

function checkTiling(
  entries: readonly TensorEntry[],
  at: { readonly dataStart: number; readonly fileBytes: number; readonly source: string },
): void {
  let position = at.dataStart;
  for (const entry of entries) {
    const label = `${describe(entry.name)} in ${at.source}`;
    if (entry.begin !== position) {
      throw invalid(label, `data at byte ${position}, where the tensor before it ends`, entry.begin);
    }
    if (entry.end > at.fileBytes) throw invalid(label, `data within the file's ${at.fileBytes} bytes`, entry.end);
    position = entry.end;
  }
  if (position !== at.fileBytes) throw invalid(at.source, `a file of ${position} bytes, as its header says`, at.fileBytes);
}

/**
 * Refuses equal tensor names, because JSON.parse would silently keep the last. `text` is valid JSON of an object; its keys of depth 1 are
 * collected by walking over strings and brackets.
 */
function checkDuplicateNames(text: string, source: string): void {
  const seen = new Set<string>();
  let depth = 0;
  let lastString = '';
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === '"') {
      const start = i;
      for (i++; text[i] !== '"'; i++) if (text[i] === '\\') i++;
      lastString = text.slice(start, i + 1);
    } else if (c === '{' || c === '[') depth++;
    else if (c === '}' || c === ']') depth--;
    else if (c === ':' && depth === 1) {
      const name = JSON.parse(lastString) as string;
      if (seen.has(name)) throw invalid(source, 'distinct tensor names', name);
      seen.add(name);
    }
  }
}

function decodeUtf8(bytes: Uint8Array, source: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new MoaError(`Expected UTF-8 for the header of ${source} but received other bytes`, { code: 'INVALID_FILE', cause });
  }
}

function invalid(source: string, what: string, received: unknown): MoaError {
  const value = typeof received === 'bigint' ? String(received) : describe(received);
  return new MoaError(`Expected ${what} for ${source} but received ${value}`, {
    code: 'INVALID_FILE',
    hint: 'The file is damaged or not a safetensors file; fetch it again.',
  });
}
