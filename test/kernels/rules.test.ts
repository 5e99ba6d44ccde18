import { expect, test } from 'vitest';
import { type Kernel, scripts } from './kernel-scripts.ts';

function kernel(name: string, changes: Partial<Kernel> = {}): Kernel {
  const opcodes = { HMMA: 4, HGMMA: 4, WARPGROUP: 2 };
  return { arch: 'sm_90a', name, registers: 32, stackBytes: 0, sharedBytes: 0, opcodes, hash: '', symbol: '', subroutines: [], ...changes };
}

test('kernels as they should be break no rule', () => {
  const cold = { opcodes: { LDL: 3, STL: 1, 'CALL.ABS': 1 }, stackBytes: 64, subroutines: ['div_s64'] };
  expect(
    scripts.brokenRules([
      kernel('attention_prefill_wgmma_kernel<Half>'),
      kernel('attention_prefill_wgmma_kernel<Half>', { arch: 'sm_80', opcodes: {} }),
      kernel('influence_mma_kernel<Half>'),
      kernel('rms_norm_row_kernel<float>', { opcodes: { 'CALL.REL': 1 }, subroutines: ['sqrt_rn_f32_slowpath'] }),
      kernel('attention_decode_mma_kernel<Half>', { arch: 'sm_80', subroutines: ['shflsync_bfly_p', 'warpsync'] }),
      kernel('uniform_kernel', cold),
    ]),
  ).toEqual([]);
});

test('hot kernels have no local memory, stack or calls', () => {
  const slow = {
    opcodes: { HMMA: 4, LDL: 3, STL: 1, 'CALL.ABS': 1, 'CALL.REL': 2 },
    stackBytes: 64,
    subroutines: ['div_s64', 'sqrt_rn_f32_slowpath'],
  };
  expect(scripts.brokenRules([kernel('attention_decode_streamk_kernel<Half, 64>', slow)])).toEqual([
    'sm_90a attention_decode_streamk_kernel<Half, 64>: hot, but it uses local memory (3 loads, 1 stores)',
    'sm_90a attention_decode_streamk_kernel<Half, 64>: hot, but it has a stack of 64 bytes',
    'sm_90a attention_decode_streamk_kernel<Half, 64>: hot, but it calls div_s64, sqrt_rn_f32_slowpath, functions of the CUDA runtime',
  ]);
});

test('matrix kernels use the matrix unit, and wgmma overlap', () => {
  expect(
    scripts.brokenRules([
      kernel('influence_mma_kernel', { arch: 'sm_80', opcodes: {} }),
      kernel('gemm_wgmma_kernel', { opcodes: { HMMA: 4 } }),
      kernel('prefill_wgmma_kernel', { opcodes: { HGMMA: 20, WARPGROUP: 40 } }),
    ]),
  ).toEqual([
    'sm_80 influence_mma_kernel: named mma, but it has no HMMA instruction',
    'sm_90a gemm_wgmma_kernel: named wgmma, but it has no HGMMA instruction',
    'sm_90a prefill_wgmma_kernel: its wgmma are serialized (20 HGMMA, 40 fences and waits)',
  ]);
});
