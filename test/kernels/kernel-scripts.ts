// The modules of scripts/kernels with the types that tests need, and libraries made of test/fixtures/kernels to feed them.
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

export interface Kernel {
  readonly arch: string;
  readonly name: string;
  readonly registers: number;
  readonly stackBytes: number;
  readonly sharedBytes: number;
  readonly opcodes: Readonly<Record<string, number>>;
  readonly hash: string;
  readonly symbol: string;
  readonly subroutines: readonly string[];
}

interface Scripts {
  readLibrary(bytes: Uint8Array): { readonly compiler: string; readonly kernels: readonly Kernel[] };
  countOpcodes(code: Uint8Array): Record<string, number>;
  stableSymbol(symbol: string): string;
  displayName(symbol: string): string;
  brokenRules(kernels: readonly Kernel[]): string[];
  performanceAdvice(log: string): string[];
}

const modules = ['library.mjs', 'opcodes.mjs', 'kernel-name.mjs', 'rules.mjs', 'build-log.mjs'];
const loaded = await Promise.all(modules.map((file) => import(new URL(`../../scripts/kernels/${file}`, import.meta.url).href)));
export const scripts: Scripts = Object.assign({}, ...loaded);

/** The fixture's containers of cubins, for sm_80 and sm_90a. */
export function probeFatbin(): Buffer {
  return gunzipSync(readFileSync(new URL('../fixtures/kernels/probe.fatbin.gz', import.meta.url)));
}

const HEADER = 64; // bytes, of the file and of a section
const NAMES = Buffer.from('\0.shstrtab\0.nv_fatbin\0');

/** The smallest 64-bit ELF file with the containers in the section where nvcc puts them. */
export function libraryOf(fatbin: Uint8Array): Buffer {
  const header = Buffer.alloc(HEADER);
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  header.writeBigUInt64LE(BigInt(HEADER + NAMES.length + fatbin.length), 40); // section headers
  header.writeUInt16LE(3, 60); // sections
  header.writeUInt16LE(1, 62); // the one with the names
  const names = sectionHeader(NAMES.indexOf('.shstrtab'), HEADER, NAMES.length);
  const code = sectionHeader(NAMES.indexOf('.nv_fatbin'), HEADER + NAMES.length, fatbin.length);
  return Buffer.concat([header, NAMES, fatbin, Buffer.alloc(HEADER), names, code]);
}

function sectionHeader(nameAt: number, offset: number, size: number): Buffer {
  const header = Buffer.alloc(HEADER);
  header.writeUInt32LE(nameAt, 0);
  header.writeUInt32LE(1, 4); // program bits
  header.writeBigUInt64LE(BigInt(offset), 24);
  header.writeBigUInt64LE(BigInt(size), 32);
  return header;
}

/** The bytes with every occurrence of a text replaced by one of the same length. */
export function withText(bytes: Buffer, from: string, to: string): Buffer {
  if (from.length !== to.length) throw new Error(`Expected ${to} to be as long as ${from}`);
  return Buffer.from(bytes.toString('latin1').replaceAll(from, to), 'latin1');
}
