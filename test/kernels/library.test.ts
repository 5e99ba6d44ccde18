// The reader of cubins against kernels of known counts (test/fixtures/kernels/probe.cu), whose registers, stack and shared memory are
// those that `nvcc -Xptxas -v` prints.
import { expect, test } from 'vitest';
import { libraryOf, probeFatbin, scripts } from './kernel-scripts.ts';

const { readLibrary } = scripts;
const [MMA, WGMMA, LOCAL] = [
  { name: 'probe_mma_kernel<unsigned short, 2, true>', symbol: '_ZN20_GLOBAL__N__probe_cu16probe_mma_kernelItLi2ELb1EEEvPKT_Pf' },
  { name: 'probe_wgmma_kernel', symbol: '_Z18probe_wgmma_kernelPKmPKjPf' },
  { name: 'probe_local_kernel', symbol: '_Z18probe_local_kernelPKiPf' },
];
const NO_MEMORY = { stackBytes: 0, sharedBytes: 0 };
const WARP_MATRIX = { stackBytes: 0, sharedBytes: 512, opcodes: { HMMA: 2, LDSM: 1, MOVM: 1, LDGSTS: 1 }, subroutines: [] };
const LOCAL_MEMORY = {
  stackBytes: 256,
  sharedBytes: 0,
  opcodes: { LDL: 1, STL: 1, 'CALL.REL': 1 },
  subroutines: ['div_rn_noftz_f32_slowpath'],
};

test('reads every kernel of a library', () => {
  expect(readLibrary(libraryOf(probeFatbin()))).toEqual({
    compiler: 'release 13.0, V13.0.88',
    kernels: [
      { arch: 'sm_80', ...LOCAL, ...LOCAL_MEMORY, registers: 13, hash: '5119f8cdbb1436be' },
      { arch: 'sm_80', ...MMA, ...WARP_MATRIX, registers: 18, hash: '5077e3bb5b34123f' },
      { arch: 'sm_80', ...WGMMA, ...NO_MEMORY, opcodes: {}, subroutines: [], registers: 4, hash: 'c637e932d132741c' },
      { arch: 'sm_90a', ...LOCAL, ...LOCAL_MEMORY, registers: 15, hash: 'e8352522446e631e' },
      { arch: 'sm_90a', ...MMA, ...WARP_MATRIX, registers: 20, hash: 'b92395bd5f9ffdd1' },
      {
        ...{ arch: 'sm_90a', ...WGMMA, registers: 34, stackBytes: 0, sharedBytes: 128 },
        ...{ opcodes: { HGMMA: 2, WARPGROUP: 2, UBLKCP: 1 }, subroutines: [], hash: '1738b27f6cc4d42f' },
      },
    ],
  });
});

test('takes a kernel once that two files instantiate', () => {
  const [once, twice] = [probeFatbin(), Buffer.concat([probeFatbin(), Buffer.alloc(8), probeFatbin()])];
  expect(readLibrary(libraryOf(twice))).toEqual(readLibrary(libraryOf(once)));
});

test('refuses two different kernels of one name', () => {
  const changed = probeFatbin();
  const code = changed.indexOf(Buffer.from('3c72', 'hex')); // HMMA with predicate PT
  changed.writeUInt8(changed.readUInt8(code + 8) ^ 1, code + 8);
  expect(() => readLibrary(libraryOf(Buffer.concat([probeFatbin(), changed])))).toThrow('found two');
});

test('refuses compressed code and libraries without kernels', () => {
  const compressed = probeFatbin();
  compressed.write('\x28\xb5\x2f\xfd', compressed.indexOf('\x7fELF', 'latin1'), 'latin1'); // zstd
  expect(() => readLibrary(libraryOf(compressed))).toThrow('build with `nvcc --no-compress`');
  expect(() => readLibrary(libraryOf(new Uint8Array()))).toThrow('Expected kernels');
  expect(() => readLibrary(Buffer.from('#!/bin/sh\n'))).toThrow('Expected a 64-bit little-endian ELF file');
});
