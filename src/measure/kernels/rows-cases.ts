import type { ArmSpec, KernelSpec } from '../../peers/kernel-protocol.ts';
import { type CaseOptions, type CeilingCase, type CeilingName, type KernelCase, roundsOf, shrunkBatch, shrunkTokens } from './case.ts';

/** The largest relative error of bf16 outputs. */
const LIMIT = 1e-2;

/** Name, N, K of a 7B Llama's weights [N, K]. */
const WEIGHTS = [
  ['qkv', 12288, 4096],
  ['output', 4096, 4096],
  ['gate and up', 22016, 4096],
  ['down', 4096, 11008],
] as const;
const PREFILL_ROWS = 4096;

/** The matrix products of a 7B Llama. Those of a decode step are compared with the read ceiling, those of a prefill with the gemm ceiling. */
export function gemmCases(options: CaseOptions): readonly KernelCase[] {
  return [1, 16, 64, PREFILL_ROWS].flatMap((m) =>
    WEIGHTS.filter(([name]) => m < PREFILL_ROWS || name === 'qkv' || name === 'down').map(([name, wholeN, wholeK]) => {
      const [n, k] = [shrunkTokens(wholeN, options), shrunkTokens(wholeK, options)];
      return {
        section: 'gemm' as const,
        name: `${name} M${m} N${wholeN} K${wholeK}`,
        spec: { op: 'gemm', m, n, k } as const,
        arms: [
          { id: 'ours', by: 'moabench' },
          { id: 'F.linear', by: 'F.linear' },
          { id: 'torch.mm', by: 'torch.mm' },
        ] as const,
        work:
          m === PREFILL_ROWS
            ? ({ flop: 2 * m * n * k, ceiling: 'gemm' } as const)
            : ({ bytes: 2 * (n * k + m * k + m * n), ceiling: 'read' } as const),
        rounds: roundsOf(options).usual,
        limit: LIMIT,
        needs: [],
      };
    }),
  );
}

/** The cases of row-wise ops on more than 32 MB. The bytes that each op must move once are compared with the copy ceiling. */
export function rowsCases(options: CaseOptions): readonly KernelCase[] {
  const size = (count: number): number => shrunkTokens(count, options);
  const [tokens, width, many] = [size(8192), size(4096), size(16384)];
  const vocabulary = Math.max(Math.floor(32000 / options.shrink), 64);
  const of = (
    name: string,
    spec: KernelSpec,
    bytes: number,
    more: { readonly compiled?: boolean; readonly ceiling?: CeilingName; readonly limit?: number } = {},
  ): KernelCase => ({
    section: 'rows',
    name,
    spec,
    arms: [
      { id: 'ours', by: 'moabench' },
      { id: 'eager', by: 'eager' },
      ...(more.compiled ? [{ id: 'compiled', by: 'compiled' } satisfies ArmSpec] : []),
    ],
    work: { bytes, ceiling: more.ceiling ?? 'copy' },
    rounds: roundsOf(options).usual,
    limit: more.limit ?? LIMIT,
    needs: [],
  });
  const compiled = { compiled: true };
  const silu = { op: 'silu_mul', tokens: size(4096), width: size(11008) } as const;
  const argmax = { op: 'argmax', tokens: shrunkBatch(512, options), vocabulary: size(128256) } as const;
  return [
    of('rms_norm 8192 x 4096 bf16', { op: 'rms_norm', tokens, width, residual: false }, 4 * tokens * width, compiled),
    // 12 bytes an element: x and out in bf16 (2 + 2), and the residual in f32, which is read and written (4 + 4).
    of('rms_norm 8192 x 4096 bf16 + f32 residual', { op: 'rms_norm', tokens, width, residual: true }, 12 * tokens * width, compiled),
    of('silu_mul 4096 x 11008 bf16', silu, 6 * silu.tokens * silu.width, compiled),
    of('rope 8192 x (32 + 32) x 128 bf16', { op: 'rope', tokens, heads: 32, headDim: 128 }, 8 * tokens * 32 * 128, compiled),
    of('embedding 16384 rows of 4096 bf16', { op: 'embedding', tokens: many, width, vocabulary }, 4 * many * width),
    of('gather_rows 16384 rows of 4096 bf16', { op: 'gather_rows', tokens: many, width, vocabulary }, 4 * many * width),
    of('argmax 512 x 128256 bf16', argmax, 2 * argmax.tokens * argmax.vocabulary, { ceiling: 'read', limit: 0 }),
    of('add 8192 x 4096 bf16', { op: 'add', tokens, width }, 6 * tokens * width),
  ];
}

const READ_BYTES = 4 * 2 ** 30;

/** The ceilings that every process measures before it times anything: the best of several ways to read, a copy, and a large matrix product. */
export function ceilingCases(options: CaseOptions): readonly CeilingCase[] {
  const { usual: rounds } = roundsOf(options);
  const readBytes = Math.floor(READ_BYTES / options.shrink ** 2 / 2 ** 18) * 2 ** 18; // whole programs of the largest Triton kernel
  const n = shrunkTokens(8192, options);
  const triton = [
    [4096, 4, 8],
    [4096, 8, 8],
    [8192, 4, 8],
    [2048, 8, 4],
  ] as const;
  const arms: readonly ArmSpec[] = [
    { id: 'torch.sum f32', by: 'torch.sum' },
    { id: 'torch.amax i32', by: 'torch.amax' },
    ...triton.map(([block, turns, warps]) => ({
      id: `triton ${block}x${turns} words, ${warps} warps`,
      by: 'triton' as const,
      block,
      turns,
      warps,
    })),
  ];
  const read: KernelSpec = { op: 'read', bytes: readBytes };
  const copy: KernelSpec = { op: 'copy', bytes: readBytes };
  return [
    { ceiling: 'read', spec: read, arms, work: { bytes: readBytes }, rounds },
    { ceiling: 'copy', spec: copy, arms: [{ id: 'copy', by: 'torch.copy' }], work: { bytes: readBytes }, rounds },
    { ceiling: 'gemm', spec: { op: 'matmul', n }, arms: [{ id: 'mm', by: 'torch.mm' }], work: { flop: 2 * n ** 3 }, rounds },
  ];
}
