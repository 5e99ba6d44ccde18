import type { OnProgress } from '../core/progress.ts';
import { median } from '../core/statistics.ts';
import type { Interval } from '../core/statistics-proportion.ts';
import { logRatioInterval } from '../core/statistics-timing.ts';
import type { Backend } from '../native/backend.ts';
import { interleave } from './interleave.ts';
import {
  type AttentionShape,
  benchSpans,
  decodeAttentionArm,
  gemmArm,
  type KernelArm,
  prefillAttentionArm,
  readCeilingArm,
} from './kernel-cases.ts';

export interface KernelBenchOptions extends AttentionShape {
  readonly rounds: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
}

interface KernelResult {
  readonly id: string;
  readonly samplesMs: readonly number[];
  readonly medianMs: number;
  readonly gigabytesPerSecond: number;
  readonly gigaflopsPerSecond: number;
}

/** Time of one kernel over time of another, with its 95% interval over paired rounds. */
interface KernelRatio extends Interval {
  readonly name: string;
}

export interface KernelBenchReport {
  readonly backend: string;
  readonly shape: AttentionShape;
  readonly results: readonly KernelResult[];
  readonly ratios: readonly KernelRatio[];
  readonly text: string;
}

/** Density of the uniform and skewed spans: the paper's headline setting. */
const DENSITY = 0.5;
/** Larger than any last-level cache that this runs on, so that the ceiling is memory's. */
const CEILING_MIB = 256;

/** Times every kernel in interleaved rounds; ratios compare rounds taken side by side. */
export async function runKernelBench(backend: Backend, options: KernelBenchOptions): Promise<KernelBenchReport> {
  const arms = makeArms(backend, options);
  try {
    const samples = await interleave(arms, { ...options, warmupRounds: 2, seed: 'kernels', stage: 'bench' });
    const results = arms.map((arm) => resultOf(arm, samples.get(arm.id) ?? []));
    const ratio = (name: string, top: string, bottom: string): KernelRatio => ({
      name,
      ...logRatioInterval(samples.get(top) ?? [], samples.get(bottom) ?? [], { seed: name, paired: true }),
    });
    const ratios = [
      ratio('decode: skewed / uniform spans at equal bytes', 'decode skewed', 'decode uniform'),
      ratio('decode: uniform 50% / dense', 'decode uniform', 'decode dense'),
      ratio('prefill: skewed / dense', 'prefill skewed', 'prefill dense'),
      ratio('prefill: uniform 50% / dense', 'prefill uniform', 'prefill dense'),
    ];
    const { heads, kvHeads, headDim, batch, tokens, kvDType } = options;
    const report = { backend: backend.description, shape: { heads, kvHeads, headDim, batch, tokens, kvDType }, results, ratios };
    return { ...report, text: reportText(report) };
  } finally {
    for (const arm of arms) arm.dispose();
  }
}

function makeArms(backend: Backend, shape: AttentionShape): readonly KernelArm[] {
  const hidden = shape.heads * shape.headDim;
  const spans = (['dense', 'uniform', 'skewed'] as const).map((p) => [p, benchSpans(p, shape.kvHeads, shape.tokens, DENSITY)] as const);
  return [
    readCeilingArm(backend, 'read ceiling', CEILING_MIB),
    ...spans.map(([profile, s]) => decodeAttentionArm(backend, `decode ${profile}`, shape, s)),
    ...spans.map(([profile, s]) => prefillAttentionArm(backend, `prefill ${profile}`, shape, s)),
    gemmArm(backend, 'gemm prefill', { m: shape.tokens, n: 3 * hidden, k: hidden, weights: 'bf16' }),
    gemmArm(backend, 'gemm decode', { m: shape.batch, n: 3 * hidden, k: hidden, weights: 'bf16' }),
  ];
}

function resultOf(arm: KernelArm, samplesMs: readonly number[]): KernelResult {
  const medianMs = median(samplesMs);
  return {
    id: arm.id,
    samplesMs,
    medianMs,
    gigabytesPerSecond: arm.bytes / medianMs / 1e6,
    gigaflopsPerSecond: arm.flops / medianMs / 1e6,
  };
}

function reportText({ backend, shape, results, ratios }: Omit<KernelBenchReport, 'text'>): string {
  const rows = results.map((r) =>
    [
      r.id.padEnd(16),
      `${r.medianMs.toFixed(3)} ms`.padStart(13),
      `${r.gigabytesPerSecond.toFixed(1)} GB/s`.padStart(12),
      `${r.gigaflopsPerSecond.toFixed(1)} GFLOP/s`.padStart(16),
    ].join(' '),
  );
  const n = results[0]?.samplesMs.length ?? 0;
  return [
    backend,
    `B${shape.batch} H${shape.heads} Hkv${shape.kvHeads} D${shape.headDim} N${shape.tokens} kv ${shape.kvDType}; median of ${n} interleaved rounds`,
    ...rows,
    ...ratios.map((r) => `${r.name}: ${r.estimate.toFixed(3)} [${r.low.toFixed(3)}, ${r.high.toFixed(3)}] n=${r.n}`),
  ].join('\n');
}
