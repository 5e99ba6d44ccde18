import type { KvCache, Tensor } from '../../native/backend.ts';
import { type ConformanceCase, EXACT, type OpName } from '../case.ts';
import { rotaryFrequencies, type Stage, segmentsOf } from '../stage.ts';
import { appendRandom, LAYER, makeCache } from './cache-scenario.ts';

/** What every backend must refuse as INVALID_ARGUMENT, when enqueued or at the next read. */
function misuse(op: OpName, name: string, run: (stage: Stage) => void | Promise<void>): ConformanceCase {
  return {
    op,
    name: `refuses ${name}`,
    tolerance: EXACT,
    rejects: 'INVALID_ARGUMENT',
    async run(stage) {
      await run(stage);
      await stage.backend.synchronize();
      return {};
    },
  };
}

const SIZES = { heads: 4, kvHeads: 2, headDim: 32 } as const;
const FLAT = segmentsOf([0, 5, 0, 0]);

function prefill(
  stage: Stage,
  change: {
    readonly segments?: Int32Array;
    readonly out?: Tensor;
    readonly cache?: KvCache;
    readonly layer?: number;
    readonly scale?: number;
  },
): void {
  const { q, k, v } = stage.fusedQkv(5, SIZES);
  stage.backend.attentionPrefill({ q, k, v, out: stage.poisoned([5, 4, 32]), segments: FLAT, scale: 0.2, ...change });
}

async function decode(
  stage: Stage,
  change: { readonly append?: boolean; readonly sequences?: readonly number[]; readonly prompt?: number },
): Promise<void> {
  const scenario = { ...SIZES, policy: 'full', spans: [128], sequences: 2 } as const;
  const cache = makeCache(stage, scenario);
  await appendRandom(stage, cache, [change.prompt ?? 3, 2]);
  const sequences = Int32Array.from(change.sequences ?? [0, 1]);
  const { q, k, v } = stage.fusedQkv(2, SIZES);
  const inverseFrequencies = stage.of(rotaryFrequencies(32), [16]);
  if (change.append !== false) stage.backend.decodeAppend({ cache, layer: LAYER, q, k, v, sequences, inverseFrequencies, scale: 1 });
  const out = stage.poisoned([2, 4, 32]);
  stage.backend.attentionDecode({ cache, layer: LAYER, q, out, sequences, scale: 0.2 });
  await out.read();
}

function append(stage: Stage, segments: Int32Array, kvHeads = 2): void {
  const cache = makeCache(stage, { ...SIZES, policy: 'full', spans: [128], sequences: 2 });
  const [k, v] = [stage.normal([130, kvHeads, 32]), stage.normal([130, kvHeads, 32])];
  stage.backend.cacheAppend({ cache, layer: LAYER, k, v, segments });
}

function influence(stage: Stage, bins: number): void {
  const { q, k, v } = stage.fusedQkv(70, SIZES);
  const [out, gradOut] = [stage.normal([70, 4, 32]), stage.normal([70, 4, 32])];
  const [elementwise, elementwiseSink, joint] = [0, 1, 2].map(() => stage.normal([2, bins])) as [Tensor, Tensor, Tensor];
  const common = { q, k, v, out, gradOut, logSumExp: stage.normal([70, 4]), segments: segmentsOf([0, 70, 0, 0]), scale: 0.2 };
  stage.backend.influence({ ...common, sink: 64, epsilon: 1e-3, elementwise, elementwiseSink, joint });
}

function gemm(stage: Stage, b: readonly number[], out: readonly number[]): void {
  stage.backend.gemm({ a: stage.normal([3, 4]), b: stage.normal(b), out: stage.poisoned(out), transposeB: true });
}

const spec = { policy: 'ring', sequences: 1, layers: 1, kvHeads: 2, headDim: 32, dtype: 'f32', sink: 64 } as const;

export const MISUSE_CASES: readonly ConformanceCase[] = [
  misuse('gemm', 'inner sizes that differ', (stage) => gemm(stage, [5, 3], [3, 5])),
  misuse('gemm', 'an output of another size', (stage) => gemm(stage, [5, 4], [3, 4])),
  misuse('gemm', 'an int32 operand', (stage) => {
    const b = stage.ints([1, 2, 3, 4]).reshape([1, 4]);
    stage.backend.gemm({ a: stage.normal([3, 4]), b, out: stage.poisoned([3, 1]), transposeB: true });
  }),
  misuse('gemm', 'a disposed operand', (stage) => {
    const b = stage.normal([5, 4]);
    b.dispose();
    stage.backend.gemm({ a: stage.normal([3, 4]), b, out: stage.poisoned([3, 5]), transposeB: true });
  }),
  misuse('gemm', 'an output over its input', (stage) => {
    const a = stage.normal([4, 4]);
    stage.backend.gemm({ a, b: stage.normal([4, 4]), out: a, transposeB: true });
  }),
  misuse('rmsNorm', 'a negative epsilon', (stage) => {
    const x = stage.normal([2, 8]);
    stage.backend.rmsNorm({ x, weight: stage.normal([8]), out: x, epsilon: -1 });
  }),
  misuse('rope', 'too few frequencies', (stage) => {
    const { q, k } = stage.fusedQkv(5, SIZES);
    stage.backend.rope({ q, k, segments: FLAT, inverseFrequencies: stage.normal([8]), scale: 1 });
  }),
  misuse('gatherRows', 'a row past the end', (stage) =>
    stage.backend.gatherRows({ x: stage.normal([3, 2]), out: stage.poisoned([1, 2]), rows: Int32Array.of(3) }),
  ),
  misuse('scatterRows', 'a row twice', (stage) =>
    stage.backend.scatterRows({ x: stage.normal([2, 2]), out: stage.normal([3, 2]), rows: Int32Array.of(1, 1) }),
  ),
  misuse('attentionPrefill', 'segments past the rows', (stage) => prefill(stage, { segments: segmentsOf([0, 6, 0, 0]) })),
  misuse('attentionPrefill', 'overlapping segments', (stage) => prefill(stage, { segments: segmentsOf([0, 3, 0, 0], [2, 3, 0, 1]) })),
  misuse('attentionPrefill', 'half a segment', (stage) => prefill(stage, { segments: Int32Array.of(0, 5, 0) })),
  misuse('attentionPrefill', 'an output of another size', (stage) => prefill(stage, { out: stage.poisoned([5, 2, 32]) })),
  misuse('attentionPrefill', 'a NaN scale', (stage) => prefill(stage, { scale: Number.NaN })),
  misuse('attentionPrefill', 'a first position that is not the length', (stage) =>
    prefill(stage, { segments: segmentsOf([0, 5, 1, 0]), cache: makeCache(stage, SIZES), layer: 1 }),
  ),
  misuse('attentionPrefill', 'a layer past the last', (stage) => prefill(stage, { cache: makeCache(stage, SIZES), layer: 2 })),
  misuse('cacheAppend', 'more tokens than a full cache holds', (stage) => append(stage, segmentsOf([0, 129, 0, 0]))),
  misuse('cacheAppend', 'one sequence twice', (stage) => append(stage, segmentsOf([0, 3, 0, 0], [3, 3, 0, 0]))),
  misuse('cacheAppend', 'a sequence that does not exist', (stage) => append(stage, segmentsOf([0, 3, 0, 2]))),
  misuse('cacheAppend', 'other KV heads', (stage) => append(stage, segmentsOf([0, 3, 0, 0]), 3)),
  misuse('attentionDecode', 'a token that was not appended', (stage) => decode(stage, { append: false })),
  misuse('decodeAppend', 'one sequence twice', (stage) => decode(stage, { sequences: [1, 1] })),
  misuse('decodeAppend', 'a token past a full cache', (stage) => decode(stage, { prompt: 128 })),
  misuse('cacheAdvance', 'counts of another length', (stage) =>
    stage.backend.cacheAdvance({ cache: makeCache(stage, SIZES), sequences: Int32Array.of(0), counts: Int32Array.of(1, 1) }),
  ),
  misuse('influence', 'too few bins', (stage) => influence(stage, 1)),
  misuse('memory', 'a capacity off the 64 grid', (stage) => void stage.kvCache({ ...spec, capacities: Int32Array.of(128, 130) })),
  misuse('memory', 'a capacity that is all sink', (stage) => void stage.kvCache({ ...spec, capacities: Int32Array.of(64, 128) })),
  misuse('memory', 'too few capacities', (stage) => void stage.kvCache({ ...spec, capacities: Int32Array.of(128) })),
  misuse('tensor', 'data of another length', (stage) => stage.poisoned([3, 3]).write(new Float32Array(8))),
  misuse('tensor', 'rows past the end', (stage) => void stage.poisoned([3, 3]).rows(2, 2)),
  misuse('tensor', 'columns past the end', (stage) => void stage.poisoned([3, 3]).columns(1, [3])),
  misuse('tensor', 'a reshape of a strided view', (stage) => void stage.poisoned([3, 4]).columns(1, [2]).reshape([6])),
  misuse('tensor', 'a reading after dispose', async (stage) => {
    const tensor = stage.poisoned([3]);
    tensor.dispose();
    await tensor.read();
  }),
];
