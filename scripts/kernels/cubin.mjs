// Reads what ptxas made of each kernel: registers, stack, static shared memory, opcodes and code from the cubins of a library. Dynamic shared memory
// is missing here: it is chosen at the launch and is in no cubin.
import { createHash } from 'node:crypto';
import { readElf, viewOf } from './elf.mjs';
import { displayName, stableSymbol } from './kernel-name.mjs';
import { countOpcodes } from './opcodes.mjs';

const EM_CUDA = 190;
const STO_CUDA_ENTRY = 0x10; // in the `other` field of a symbol: it is a kernel, not a device function
const EIFMT_SVAL = 4; // an attribute of .nv.info whose value has a 16-bit size; all other formats are 4 bytes in total
const EIATTR_FRAME_SIZE = 0x11;
const EIATTR_MIN_STACK_SIZE = 0x12;
const EIATTR_REGCOUNT = 0x2f;
const RESERVED_SHARED_BYTES = 1024; // per thread block from sm_90 on: part of the section's size, but not of what ptxas -v prints
const HASH_DIGITS = 16;

/** `{ compiler, kernels }` of one cubin. A kernel has what the table records, and `subroutines`, the functions that it calls. */
export function readCubin(bytes) {
  const elf = readElf(bytes);
  if (elf.machine !== EM_CUDA) throw new Error(`Expected a cubin but received an ELF file for machine ${elf.machine}`);
  const { compiler, arch } = readToolInfo(elf);
  const attributes = readAttributes(elf);
  const entries = elf.symbols.map((symbol, index) => ({ ...symbol, index })).filter(({ other }) => other & STO_CUDA_ENTRY);
  return { compiler, kernels: entries.map((entry) => readKernel(elf, arch, attributes, entry)) };
}

function readKernel(elf, arch, attributes, { name, index, section }) {
  const code = elf.sections[section].bytes;
  const reserved = Number.parseInt(arch.slice('sm_'.length), 10) >= 90 ? RESERVED_SHARED_BYTES : 0;
  const shared = elf.sections.find((other) => other.name === `.nv.shared.${name}`)?.size ?? reserved;
  const attribute = (kind) => attributes.get(`${kind} ${index}`) ?? 0;
  const symbol = stableSymbol(name);
  return {
    arch,
    name: displayName(symbol),
    registers: attribute(EIATTR_REGCOUNT),
    stackBytes: Math.max(attribute(EIATTR_FRAME_SIZE), attribute(EIATTR_MIN_STACK_SIZE)),
    sharedBytes: shared - reserved,
    opcodes: countOpcodes(code),
    hash: createHash('sha256').update(code).digest('hex').slice(0, HASH_DIGITS),
    symbol,
    subroutines: elf.symbols.filter((other) => other.section === section && other.name.startsWith('$')).map(subroutineName),
  };
}

/**
 * `$__internal_1_$__cuda_sm3x_div_rn_noftz_f32_slowpath` becomes `div_rn_noftz_f32_slowpath`. The symbols of our own functions are
 * `$<kernel>$<function>`.
 */
function subroutineName({ name }) {
  return displayName(stableSymbol(name.slice(name.lastIndexOf('$') + 1))).replace(/^__cuda_sm\w\w_|^__internal_/, '');
}

/**
 * Reads compiler and architecture from the note that ptxas leaves: "Cuda compilation tools, release 13.0, V13.0.88 ... -arch sm_90a". The
 * ELF flags lack the "a".
 */
function readToolInfo(elf) {
  const note = elf.sections.find(({ name }) => name === '.note.nv.tkinfo')?.bytes ?? new Uint8Array();
  const text = Buffer.from(note).toString('latin1');
  const compiler = /release [\d.]+, V[\d.]+/.exec(text)?.[0] ?? 'unknown';
  // CUDA 13 writes ABI version 8, with the architecture in the second byte of the flags; CUDA 12 writes version 7, with the architecture in the first
  // byte.
  const number = (elf.abiVersion >= 8 ? elf.flags >> 8 : elf.flags) & 0xff;
  return { compiler, arch: /-arch[ =](sm_\w+)/.exec(text)?.[1] ?? `sm_${number}` };
}

/** A map `"<attribute> <symbol>"` -> value, of those attributes in .nv.info that consist of a symbol and a value. */
function readAttributes(elf) {
  const info = elf.sections.find(({ name }) => name === '.nv.info')?.bytes ?? new Uint8Array();
  const view = viewOf(info);
  const attributes = new Map();
  for (let at = 0; at + 4 <= info.length; ) {
    const size = info[at] === EIFMT_SVAL ? view.getUint16(at + 2, true) : 0;
    if (size === 8) attributes.set(`${info[at + 1]} ${view.getUint32(at + 4, true)}`, view.getUint32(at + 8, true));
    at += 4 + size;
  }
  return attributes;
}
