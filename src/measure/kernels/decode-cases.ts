import type { ArmSpec, KernelSpec } from '../../peers/kernel-protocol.ts';
import { type CaseOptions, type KernelCase, roundsOf, shrunkBatch, shrunkTokens, type Target } from './case.ts';
import {
  type LayerSpans,
  medianLayer,
  mostSkewedLayer,
  type PublishedName,
  publishedSpans,
  resampled,
  skewOf,
  uniformOfEqualBytes,
} from './spans.ts';

const HEAD_DIM = 128;
/** The largest relative error of bf16 outputs, as in check-cases.ts. */
const LIMIT = 1e-2;
/** Spans that differ from head to head should take as long as uniform spans of the same bytes. */
const BALANCE = { name: 'time / time of uniform spans', of: ['ours', 'uniform'], atMost: 1.05 } as const;

/** The cases of decode attention: one new token for each sequence. */
export function decodeCases(options: CaseOptions): readonly KernelCase[] {
  return [
    denseCase(options, { batch: 32, kvHeads: 32, tokens: 8192, atLeast: 0.92 }),
    denseCase(options, { batch: 32, kvHeads: 8, tokens: 8192, atLeast: 0.88 }),
    denseCase(options, { batch: 32, kvHeads: 4, tokens: 8192, atLeast: 0.88 }),
    ...planCases(options, { plan: 'vicuna-7b', tokens: 8192, batch: 32 }),
    ...planCases(options, { plan: 'vicuna-7b', tokens: 16384, batch: 16 }),
    ...planCases(options, { plan: 'vicuna-13b', tokens: 8192, batch: 32 }),
    denseCase(options, { batch: 1, kvHeads: 32, tokens: 32768 }),
    denseCase(options, { batch: 1, kvHeads: 8, tokens: 32768 }),
    denseCase(options, { batch: 1, kvHeads: 8, tokens: 4096 }),
    flexCase(options),
  ];
}

/** Live bytes of keys and values in 16 bits, over all layers, heads and sequences. */
function kvBytes(spans: LayerSpans, { batch, tokens, headDim }: { batch: number; tokens: number; headDim: number }): number {
  return spans.flat().reduce((slots, span) => slots + Math.min(span, tokens), 0) * batch * headDim * 4;
}

interface DecodeShape {
  readonly batch: number;
  readonly heads: number;
  readonly spans: LayerSpans;
  readonly tokens: number;
}

function decodeSpec({ batch, heads, spans, tokens }: DecodeShape): KernelSpec {
  return { op: 'decode', dtype: 'bf16', batch, heads, kvHeads: spans[0]?.length ?? 0, headDim: HEAD_DIM, tokens, spans };
}

function decodeWork({ batch, spans, tokens }: DecodeShape): KernelCase['work'] {
  return { bytes: kvBytes(spans, { batch, tokens, headDim: HEAD_DIM }), ceiling: 'read' };
}

const lengthName = (tokens: number): string => `${tokens / 1024}k`;

function denseCase(
  options: CaseOptions,
  shape: { readonly batch: number; readonly kvHeads: number; readonly tokens: number; readonly atLeast?: number },
): KernelCase {
  const heads = 32;
  const group = heads / shape.kvHeads;
  const [batch, tokens] = [shrunkBatch(shape.batch, options), shrunkTokens(shape.tokens, options)];
  const dense = { batch, heads, tokens, spans: [new Array<number>(shape.kvHeads).fill(tokens)] };
  const sdpa = (id: string, backend: string): readonly ArmSpec[] => [
    { id, by: 'sdpa', backend },
    ...(group === 1 ? [] : [{ id: `${id} folded`, by: 'sdpa', backend, folded: true } as const]),
  ];
  return {
    section: 'decode',
    name: `dense B${shape.batch} 32/${shape.kvHeads} ${lengthName(shape.tokens)} d${HEAD_DIM}`,
    spec: decodeSpec(dense),
    arms: [
      { id: 'ours', by: 'moabench' },
      { id: 'A/A', by: 'moabench' },
      ...sdpa('FLASH', 'FLASH_ATTENTION'),
      ...sdpa('cuDNN', 'CUDNN_ATTENTION'),
    ],
    work: decodeWork(dense),
    rounds: roundsOf(options).headline,
    limit: LIMIT,
    needs: [`decode d${HEAD_DIM} group ${group}`],
    ...(shape.atLeast === undefined
      ? {}
      : { targets: [{ name: 'share of the read ceiling', of: 'share of the ceiling', atLeast: shape.atLeast }] }),
  };
}

/** All layers of a model with published spans, against uniform spans of the same bytes and against dense; then two of these layers alone. */
function planCases(
  options: CaseOptions,
  shape: { readonly plan: PublishedName; readonly tokens: number; readonly batch: number },
): readonly KernelCase[] {
  const [batch, tokens] = [shrunkBatch(shape.batch, options), shrunkTokens(shape.tokens, options)];
  const spans = publishedSpans(shape.plan, tokens);
  const heads = spans[0]?.length ?? 0;
  const name = `${shape.plan} ${lengthName(shape.tokens)} B${shape.batch}`;
  const all = { batch, heads, tokens, spans };
  const density = spans.flat().reduce((a, b) => a + b, 0) / (spans.length * heads * tokens);
  const common = { section: 'decode', needs: ['decode d128 group 1'], spec: decodeSpec(all) } as const;
  const { headline, usual } = roundsOf(options);
  const targets: readonly Target[] = [BALANCE, { name: 'speed-up over dense', of: ['dense', 'ours'], atLeast: 1.8 }];
  const whole: KernelCase = {
    ...common,
    name: `${name} all layers`,
    arms: [
      { id: 'ours', by: 'moabench' },
      { id: 'uniform', by: 'moabench', spans: uniformOfEqualBytes(spans) },
      { id: 'dense', by: 'moabench', spans: [new Array<number>(heads).fill(tokens)], repeat: spans.length },
    ],
    work: decodeWork(all),
    note: `${spans.length} layers, density ${density.toFixed(3)}`,
    rounds: headline,
    limit: LIMIT,
    targets,
  };
  const plan: KernelCase = {
    ...common,
    name: `${name} plan of a step, all layers`,
    arms: [{ id: 'ours', by: 'moabench-plan' }],
    work: null,
    rounds: usual,
    limit: null,
  };
  const layers = [['median', medianLayer(spans)] as const, ['most skewed', mostSkewedLayer(spans)] as const];
  return [
    whole,
    plan,
    ...layers.map(([which, layer]) => layerCase(options, `${name} ${which} layer ${layer}`, { ...all, spans: [spans[layer] ?? []] })),
  ];
}

/** One layer. The peer is varlen_attn, in which every (sequence, KV head) is a sequence of its own. */
function layerCase(options: CaseOptions, name: string, shape: DecodeShape): KernelCase {
  return {
    section: 'decode',
    name,
    spec: decodeSpec(shape),
    arms: [
      { id: 'ours', by: 'moabench' },
      { id: 'A/A', by: 'moabench' },
      { id: 'uniform', by: 'moabench', spans: uniformOfEqualBytes(shape.spans) },
      { id: 'varlen', by: 'varlen' },
    ],
    work: decodeWork(shape),
    note: `longest / mean ${skewOf(shape.spans[0] ?? []).toFixed(2)}`,
    rounds: roundsOf(options).headline,
    limit: LIMIT,
    needs: ['decode d128 group 1'],
    targets: [BALANCE],
  };
}

/** FlexAttention's decode kernel on a dense cache with the plan's mask. */
function flexCase(options: CaseOptions): KernelCase {
  const [batch, tokens] = [shrunkBatch(32, options), shrunkTokens(8192, options)];
  const every = publishedSpans('vicuna-7b', tokens);
  const layer = medianLayer(every);
  const shape = { batch, heads: 32, tokens, spans: [every[layer] ?? []] };
  return {
    section: 'decode',
    name: `vicuna-7b 8k B32 layer ${layer}, FlexAttention`,
    spec: decodeSpec(shape),
    arms: [
      { id: 'ours', by: 'moabench' },
      { id: 'FlexAttention', by: 'flex' },
    ],
    work: decodeWork(shape),
    rounds: roundsOf(options).usual,
    limit: LIMIT,
    needs: ['decode d128 group 1'],
  };
}

const SWEEP = { heads: 32, tokens: 8192, long: 32768, batches: [1, 8, 32, 100], groups: [1, 4, 8], headDims: [128, 64] } as const;

/** Decode over batches, group sizes, head dimensions and kinds of spans. These cases give a picture of our kernel alone, without peers. */
export function sweepCases(options: CaseOptions): readonly KernelCase[] {
  const skewed = publishedSpans('vicuna-7b', shrunkTokens(SWEEP.tokens, options));
  const row = skewed[mostSkewedLayer(skewed)] ?? [];
  return SWEEP.headDims.flatMap((headDim) =>
    SWEEP.groups.flatMap((group) =>
      SWEEP.batches.flatMap((batch) =>
        kindsOfSpans(options, row, SWEEP.heads / group).map(({ kind, spans, tokens }) =>
          sweepCase(options, { headDim, group, batch, kind, spans, tokens }),
        ),
      ),
    ),
  );
}

interface SweepShape extends KindOfSpans {
  readonly headDim: number;
  readonly group: number;
  readonly batch: number;
}

function sweepCase(options: CaseOptions, { headDim, group, batch: named, kind, spans, tokens }: SweepShape): KernelCase {
  const { heads } = SWEEP;
  const batch = shrunkBatch(named, options);
  return {
    section: 'sweep',
    name: `d${headDim} group ${group} B${named} ${kind}`,
    spec: { op: 'decode', dtype: 'bf16', batch, heads, kvHeads: heads / group, headDim, tokens, spans: [spans] },
    arms: [{ id: 'ours', by: 'moabench' }],
    work: { bytes: kvBytes([spans], { batch, tokens, headDim }), ceiling: 'read' },
    rounds: roundsOf(options).few,
    limit: null,
    needs: [`decode d${headDim} group ${group}`],
  };
}

interface KindOfSpans {
  readonly kind: string;
  readonly spans: readonly number[];
  readonly tokens: number;
}

function kindsOfSpans(options: CaseOptions, skewed: readonly number[], kvHeads: number): readonly KindOfSpans[] {
  const [tokens, long] = [shrunkTokens(SWEEP.tokens, options), shrunkTokens(SWEEP.long, options)];
  const all = (span: number): number[] => new Array<number>(kvHeads).fill(span);
  return [
    { kind: 'uniform 8k', spans: all(tokens), tokens },
    { kind: 'half', spans: all(Math.max(tokens / 2, 128)), tokens },
    { kind: 'MoA skew', spans: resampled(skewed, kvHeads), tokens },
    { kind: 'one 32k, rest 128', spans: all(128).fill(long, kvHeads / 2, kvHeads / 2 + 1), tokens: long },
  ];
}
