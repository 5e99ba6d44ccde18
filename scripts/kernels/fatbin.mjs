// Finds the cubins inside a library that nvcc built. Its section .nv_fatbin is a sequence of containers; a container is a sequence of entries, and an
// entry has one cubin or PTX text. NVIDIA documents neither header; this is the layout that nvcc 13.0 writes:
//   container: u32 magic, u16 version, u16 header bytes, u64 bytes of entries
//   entry:     u16 kind (1 PTX, 2 cubin), u16 version, u32 header bytes, u64 payload bytes, ...
import { isElf, readElf, viewOf } from './elf.mjs';

const MAGIC = 0xba55ed50;
const KIND_CUBIN = 2;

/** The bytes of every cubin of a shared library or object file. Throws when nvcc has compressed them. */
export function cubinsOf(library) {
  return readElf(library)
    .sections.filter(({ name }) => name === '.nv_fatbin')
    .flatMap(({ bytes }) => cubinsOfContainers(bytes));
}

function cubinsOfContainers(bytes) {
  const view = viewOf(bytes);
  const cubins = [];
  for (let at = 0; at + 16 <= bytes.length; ) {
    if (view.getUint32(at, true) !== MAGIC) {
      at += 4; // padding between containers
      continue;
    }
    const first = at + view.getUint16(at + 6, true);
    at = first + Number(view.getBigUint64(at + 8, true));
    cubins.push(...cubinsOfEntries(bytes, view, first, at));
  }
  return cubins;
}

function* cubinsOfEntries(bytes, view, first, end) {
  for (let at = first; at < end; ) {
    const start = at + view.getUint32(at + 4, true);
    const next = start + Number(view.getBigUint64(at + 8, true));
    if (view.getUint16(at, true) === KIND_CUBIN) {
      const cubin = bytes.subarray(start, next);
      if (!isElf(cubin)) throw new Error('Expected uncompressed device code but received compressed: build with `nvcc --no-compress`');
      yield cubin;
    }
    at = next;
  }
}
