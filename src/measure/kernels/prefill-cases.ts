import type { ArmSpec } from '../../peers/kernel-protocol.ts';
import { visiblePairs } from '../kernel-cases.ts';
import { type CaseOptions, type KernelCase, roundsOf, shrunkTokens } from './case.ts';
import { liveFractions, medianLayer, pairsOf, publishedSpans } from './spans.ts';

const HEADS = 32;
/** The largest relative difference between two kernels that each round their bf16 outputs once. */
const AGREEMENT = 1.5e-2;
/** The largest relative difference between two kernels that each round probabilities and their gradients to bf16 on the way. */
const GRADIENT_AGREEMENT = 3e-2;
/** How many matrix products each op computes over every visible (query, key) pair. */
const GEMMS = { prefill: 2, backward: 5, influence: 2 } as const;

/** Dense shapes: [tokens, KV heads, head dimension]. */
const DENSE = [
  [8192, 32, 128],
  [2048, 32, 128],
  [16384, 32, 128],
  [8192, 32, 64],
  [8192, 8, 128],
] as const;

/** The cases of prefill attention: whole prompts. */
export function prefillCases(options: CaseOptions): readonly KernelCase[] {
  return [
    ...DENSE.map(([tokens, kvHeads, headDim]) => denseCase(options, { tokens, kvHeads, headDim })),
    planCase(options, 8192),
    planCase(options, 16384),
    flexCase(options),
    kernelsCase(options, 128),
    kernelsCase(options, 64),
  ];
}

function flop(gemms: number, pairs: number, headDim: number): KernelCase['work'] {
  return { flop: gemms * 2 * pairs * headDim, ceiling: 'gemm' };
}

const spec = (tokens: number, kvHeads: number, headDim: number) =>
  ({ op: 'prefill', dtype: 'bf16', tokens, heads: HEADS, kvHeads, headDim }) as const;

function denseCase(options: CaseOptions, shape: { tokens: number; kvHeads: number; headDim: number }): KernelCase {
  const { kvHeads, headDim } = shape;
  const tokens = shrunkTokens(shape.tokens, options);
  return {
    section: 'prefill',
    name: `dense causal B1 32/${kvHeads} ${shape.tokens / 1024}k d${headDim}`,
    spec: spec(tokens, kvHeads, headDim),
    arms: [
      { id: 'ours', by: 'moabench' },
      { id: 'A/A', by: 'moabench' },
      { id: 'FLASH', by: 'sdpa', backend: 'FLASH_ATTENTION' },
      { id: 'cuDNN', by: 'sdpa', backend: 'CUDNN_ATTENTION' },
    ],
    work: flop(GEMMS.prefill, HEADS * visiblePairs(tokens, tokens), headDim),
    rounds: roundsOf(options).headline,
    limit: AGREEMENT,
    needs: [`prefill d${headDim}`],
  };
}

/**
 * Every eighth layer of a plan. The target is the time relative to dense, divided by the share of live work: 1 means that leaving out work saves time in
 * full proportion.
 */
function planCase(options: CaseOptions, named: number): KernelCase {
  const tokens = shrunkTokens(named, options);
  const every = publishedSpans('vicuna-7b', tokens);
  const layers = every.flatMap((_, layer) => (layer % 8 === 0 ? [layer] : []));
  const spans = layers.map((layer) => every[layer] ?? []);
  const live = liveFractions(spans, tokens);
  return {
    section: 'prefill',
    name: `vicuna-7b ${named / 1024}k, layers ${layers.join(', ')}`,
    spec: { ...spec(tokens, HEADS, 128), spans },
    arms: [
      { id: 'ours', by: 'moabench' },
      { id: 'one dense layer', by: 'moabench', dense: true },
      { id: 'cuDNN, one dense layer', by: 'sdpa', backend: 'CUDNN_ATTENTION' },
    ],
    work: flop(GEMMS.prefill, pairsOf(spans, tokens), 128),
    note: `live of dense: ${Object.entries(live)
      .map(([name, value]) => `${name} ${value.toFixed(3)}`)
      .join(', ')}`,
    rounds: roundsOf(options).headline,
    limit: AGREEMENT,
    needs: ['prefill d128', 'prefill rings d128'],
    targets: Object.entries(live).map(([name, share]) => ({
      name: `time of dense / live ${name}`,
      of: ['ours', 'one dense layer'],
      dividedBy: layers.length * share,
      atMost: name === 'pairs' ? 1.2 : 1.1, // a tile with one live pair is computed whole
    })),
  };
}

/** FlexAttention with a sink and a window per head. */
function flexCase(options: CaseOptions): KernelCase {
  const tokens = shrunkTokens(8192, options);
  const every = publishedSpans('vicuna-7b', tokens);
  const layer = medianLayer(every);
  const spans = [every[layer] ?? []];
  return {
    section: 'prefill',
    name: `vicuna-7b 8k, layer ${layer}, FlexAttention`,
    spec: { ...spec(tokens, HEADS, 128), spans },
    arms: [
      { id: 'ours', by: 'moabench' },
      { id: 'FlexAttention', by: 'flex' },
    ],
    work: flop(GEMMS.prefill, pairsOf(spans, tokens), 128),
    rounds: roundsOf(options).usual,
    limit: AGREEMENT,
    needs: ['prefill rings d128'],
  };
}

/** The library's own prefill kernels side by side; MOABENCH_PREFILL_KERNEL chooses among them. */
function kernelsCase(options: CaseOptions, headDim: number): KernelCase {
  const tokens = shrunkTokens(8192, options);
  const kernels = ['wgmma', 'mma', 'simt'].map((kernel): ArmSpec => ({ id: kernel, by: 'moabench', kernel }));
  return {
    section: 'prefill',
    name: `kernels, dense causal B1 32/32 8k d${headDim}`,
    spec: spec(tokens, HEADS, headDim),
    arms: [{ id: 'ours', by: 'moabench' }, ...kernels],
    work: flop(GEMMS.prefill, HEADS * visiblePairs(tokens, tokens), headDim),
    rounds: roundsOf(options).few,
    limit: AGREEMENT,
    needs: [`prefill d${headDim}`],
  };
}

/** The cases of backward and influence of dense causal attention. The peer is PyTorch's backward. */
export function gradientCases(options: CaseOptions): readonly KernelCase[] {
  const tokens = shrunkTokens(8192, options);
  return [128, 64].flatMap((headDim) =>
    (['influence', 'backward'] as const).map((op) => ({
      section: 'gradient' as const,
      name: `${op} B1 32/32 8k d${headDim}`,
      spec: { ...spec(tokens, HEADS, headDim), op },
      arms: [
        { id: 'ours', by: 'moabench' },
        { id: 'FLASH backward', by: 'sdpa-backward', backend: 'FLASH_ATTENTION' },
        { id: 'cuDNN backward', by: 'sdpa-backward', backend: 'CUDNN_ATTENTION' },
      ] as const,
      work: flop(GEMMS[op], HEADS * visiblePairs(tokens, tokens), headDim),
      note: op === 'influence' ? '2 products a pair; peers do 5' : '5 products a pair',
      rounds: roundsOf(options).usual,
      limit: op === 'influence' ? null : GRADIENT_AGREEMENT,
      needs: [`prefill d${headDim}`, `${op} d${headDim}`],
    })),
  );
}
