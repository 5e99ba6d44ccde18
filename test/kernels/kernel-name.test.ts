// Symbols as nvcc 13.0 made them of the sources in the comments.
import { expect, test } from 'vitest';
import { scripts } from './kernel-scripts.ts';

const { displayName, stableSymbol } = scripts;

test.each([
  // namespace moa::cuda { template <class T> __global__ void probe_mma_kernel(const uint16_t*, float*); } with T = __nv_bfloat16
  ['_ZN3moa4cuda16probe_mma_kernelI13__nv_bfloat16EEvPKtPf', 'probe_mma_kernel<BFloat16>'],
  // template <class A, class B, Mode m> with A = B = moa::cuda::Half, an enum of an unnamed namespace
  ['_ZN3moa4cuda10tpl_kernelINS0_4HalfES2_LNS0_19_GLOBAL__N__anon_cu4ModeE1EEEvPT_PT0_PKS5_', 'tpl_kernel<Half, Half, 1>'],
  // template <class T, int kN, bool kB, Mode kMode>
  ['_ZN3moa4cuda19_GLOBAL__N__anon_cu15anon_mma_kernelIfLin3ELb1ELNS1_4ModeE1EEEvNS1_6ParamsEPT_', 'anon_mma_kernel<float, -3, true, 1>'],
  ['_Z18probe_local_kernelPKiPf', 'probe_local_kernel'],
  ['_Z3addIPKfRdEvT_T0_', 'add<const float*, double&>'],
  // A form outside the grammar: an expression
  ['_Z3addILi1EXsrT_1kEEvv', '_Z3addILi1EXsrT_1kEEvv'],
  ['moabench_cuda_api', 'moabench_cuda_api'],
])('reads %s', (symbol, name) => {
  expect(displayName(symbol)).toBe(name);
});

test('drops what nvcc makes of the path of a file', () => {
  const stable = '_ZN3moa4cuda19_GLOBAL__N__anon_cu12plain_kernelENS1_6ParamsE';
  expect(stableSymbol('_ZN3moa4cuda39_GLOBAL__N__47e4d027_7_anon_cu_07edabd112plain_kernelENS1_6ParamsE')).toBe(stable);
  expect(stableSymbol('_ZN3moa4cuda39_GLOBAL__N__41cf498f_7_anon_cu_07edabd112plain_kernelENS1_6ParamsE')).toBe(stable);
  // A name that ends in a digit stands before the length.
  expect(stableSymbol('_ZN3f1639_GLOBAL__N__41cf498f_7_anon_cu_07edabd11kEv')).toBe('_ZN3f1619_GLOBAL__N__anon_cu1kEv');
  expect(stableSymbol('_Z18probe_local_kernelPKiPf')).toBe('_Z18probe_local_kernelPKiPf');
});
