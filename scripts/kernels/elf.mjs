// Reads 64-bit little-endian ELF files: the host's libraries and NVIDIA's cubins alike.

const MAGIC = 0x464c457f; // "\x7fELF"
const HEADER_BYTES = 64;
const SECTION_HEADER_BYTES = 64;
const SYMBOL_BYTES = 24;
const SHT_SYMTAB = 2;
const SHT_NOBITS = 8; // sections without bytes in the file: .bss, and in a cubin shared memory

/** Whether these bytes start with an ELF file. */
export function isElf(bytes) {
  return bytes.length >= HEADER_BYTES && viewOf(bytes).getUint32(0, true) === MAGIC;
}

/** `{ machine, abiVersion, flags, sections: [{ name, type, size, bytes }], symbols: [{ name, other, section }] }`; throws for anything else. */
export function readElf(bytes) {
  if (!isElf(bytes) || bytes[4] !== 2 || bytes[5] !== 1) throw new Error('Expected a 64-bit little-endian ELF file');
  const view = viewOf(bytes);
  const start = Number(view.getBigUint64(40, true));
  const headers = Array.from({ length: view.getUint16(60, true) }, (_, i) => readHeader(view, start + i * SECTION_HEADER_BYTES));
  const contents = headers.map(({ type, offset, size }) =>
    type === SHT_NOBITS ? new Uint8Array() : bytes.subarray(offset, offset + size),
  );
  const names = contents[view.getUint16(62, true)];
  const sections = headers.map(({ nameAt, type, size }, i) => ({ name: stringAt(names, nameAt), type, size, bytes: contents[i] }));
  const table = headers.findIndex(({ type }) => type === SHT_SYMTAB);
  const symbols = table < 0 ? [] : readSymbols(contents[table], contents[headers[table].link]);
  return { machine: view.getUint16(18, true), abiVersion: bytes[8], flags: view.getUint32(48, true), sections, symbols };
}

function readHeader(view, at) {
  return {
    nameAt: view.getUint32(at, true),
    type: view.getUint32(at + 4, true),
    offset: Number(view.getBigUint64(at + 24, true)),
    size: Number(view.getBigUint64(at + 32, true)),
    link: view.getUint32(at + 40, true),
  };
}

function readSymbols(bytes, names) {
  const view = viewOf(bytes);
  return Array.from({ length: Math.floor(bytes.length / SYMBOL_BYTES) }, (_, i) => ({
    name: stringAt(names, view.getUint32(i * SYMBOL_BYTES, true)),
    other: bytes[i * SYMBOL_BYTES + 5],
    section: view.getUint16(i * SYMBOL_BYTES + 6, true),
  }));
}

function stringAt(bytes, start) {
  return Buffer.from(bytes.subarray(start, bytes.indexOf(0, start))).toString('latin1');
}

export function viewOf(bytes) {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
