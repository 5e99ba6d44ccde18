import type { OnProgress } from '../core/progress.ts';
import { median } from '../core/statistics/descriptive.ts';
import { pairedRatio, type TimingRatio } from '../core/statistics/timing.ts';
import type { Backend, BackendTraits } from '../native/backend.ts';
import { interleave } from './interleave.ts';
import {
  type AttentionShape,
  benchSpans,
  decodeAttentionArm,
  gemmArm,
  type KernelArm,
  prefillAttentionArm,
  type ReadCeilingArm,
  readCeilingArm,
} from './kernel-cases.ts';
import { lastLevelCacheMiB } from './last-level-cache.ts';

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
  /** The rate as a share of the read ceiling of the same run, by medians. */
  readonly shareOfReadCeiling: number;
}

/** Time of one kernel over time of another over paired rounds; with an interval from 6 rounds on. */
interface KernelRatio extends TimingRatio {
  readonly name: string;
}

export interface KernelBenchReport {
  readonly backend: string;
  /** What every timing is read from. */
  readonly timer: BackendTraits['timer'];
  /**
   * MiB of other data, which no kernel reads, that are read before every timing, so that nothing of an earlier run is left in the caches.
   */
  readonly evictedMiB: number;
  /** How much the read ceiling reads. */
  readonly ceilingMiB: number;
  readonly shape: AttentionShape;
  readonly results: readonly KernelResult[];
  readonly ratios: readonly KernelRatio[];
  readonly text: string;
}

/** Density of the uniform and skewed spans: the paper's headline setting. */
const DENSITY = 0.5;
/** A share above this is more than noise of the ceiling's own timings, and is marked. */
const CEILING_NOISE = 1.05;
/** How much the ceiling reads on a GPU: much more than the L2 holds, and enough to hide the start of a kernel. */
const DEVICE_CEILING_MIB = 4096;
/** How much evicts all else on a GPU: five times the largest L2 (60 MB, H200), so that nothing of an earlier run is left in it. */
const DEVICE_EVICTED_MIB = 288;
/**
 * The host's ceiling reads at least this, and at least twice what its last-level caches hold, so that each cache line is evicted before it
 * is read again.
 */
const LEAST_HOST_CEILING_MIB = 256;

/**
 * How much the ceiling reads, and how much of that evicts everything else. Kernels then read from memory, as the ceiling does, so they
 * can't exceed it.
 */
export function ceilingSizes(timer: BackendTraits['timer']): { readonly ceilingMiB: number; readonly evictedMiB: number } {
  if (timer === 'cuda events') return { ceilingMiB: DEVICE_CEILING_MIB, evictedMiB: DEVICE_EVICTED_MIB };
  const ceilingMiB = Math.max(LEAST_HOST_CEILING_MIB, 2 * lastLevelCacheMiB());
  return { ceilingMiB, evictedMiB: ceilingMiB };
}

/** Times every kernel in interleaved rounds; ratios compare rounds taken side by side. */
export async function runKernelBench(backend: Backend, options: KernelBenchOptions): Promise<KernelBenchReport> {
  const { timer } = backend.traits;
  const { ceilingMiB, evictedMiB } = ceilingSizes(timer);
  const ceiling = readCeilingArm(backend, 'read ceiling', ceilingMiB);
  const arms = [ceiling, ...makeArms(backend, options)];
  try {
    const timed = arms.map((arm) => coldArm(arm, ceiling, evictedMiB));
    const samples = await interleave(timed, { ...options, warmupRounds: 2, seed: 'kernels', stage: 'bench' });
    const msPerByte = (arm: KernelArm): readonly number[] => (samples.get(arm.id) ?? []).map((ms) => ms / arm.bytes);
    const results = arms.map((arm) => resultOf(arm, samples.get(arm.id) ?? [], median(msPerByte(ceiling))));
    const ratio = (name: string, top: string, bottom: string): KernelRatio => ({
      name,
      ...pairedRatio(samples.get(top) ?? [], samples.get(bottom) ?? []),
    });
    const ratios = [
      ratio('decode: skewed / uniform spans at equal bytes', 'decode skewed', 'decode uniform'),
      ratio('decode: uniform 50% / dense', 'decode uniform', 'decode dense'),
      ratio('prefill: skewed / dense', 'prefill skewed', 'prefill dense'),
      ratio('prefill: uniform 50% / dense', 'prefill uniform', 'prefill dense'),
      ...arms
        .filter((arm) => arm.id.includes('decode'))
        .map((arm) => ({
          name: `${arm.id}: share of the read ceiling`,
          ...pairedRatio(msPerByte(ceiling), msPerByte(arm)),
        })),
    ];
    const { heads, kvHeads, headDim, batch, tokens, kvDType, activations } = options;
    const shape = { heads, kvHeads, headDim, batch, tokens, kvDType, activations };
    const report = { backend: backend.description, timer, evictedMiB, ceilingMiB, shape, results, ratios };
    return { ...report, text: reportText(report) };
  } finally {
    for (const arm of arms) arm.dispose();
  }
}

function makeArms(backend: Backend, shape: AttentionShape): readonly KernelArm[] {
  const hidden = shape.heads * shape.headDim;
  const { activations } = shape;
  const spans = (['dense', 'uniform', 'skewed'] as const).map((p) => [p, benchSpans(p, shape.kvHeads, shape.tokens, DENSITY)] as const);
  return [
    ...spans.map(([profile, s]) => decodeAttentionArm(backend, `decode ${profile}`, shape, s)),
    ...spans.map(([profile, s]) => prefillAttentionArm(backend, `prefill ${profile}`, shape, s)),
    gemmArm(backend, 'gemm prefill', { m: shape.tokens, n: 3 * hidden, k: hidden, weights: 'bf16', activations }),
    gemmArm(backend, 'gemm decode', { m: shape.batch, n: 3 * hidden, k: hidden, weights: 'bf16', activations }),
  ];
}

/** The arm with cold caches: other data are read before each run. */
function coldArm(arm: KernelArm, ceiling: ReadCeilingArm, evictedMiB: number): KernelArm {
  const run = (): Promise<number> => {
    ceiling.evict(evictedMiB);
    return arm.run();
  };
  return { ...arm, run };
}

function resultOf(arm: KernelArm, samplesMs: readonly number[], ceilingMsPerByte: number): KernelResult {
  const medianMs = median(samplesMs);
  return {
    id: arm.id,
    samplesMs,
    medianMs,
    gigabytesPerSecond: arm.bytes / medianMs / 1e6,
    gigaflopsPerSecond: arm.flops / medianMs / 1e6,
    shareOfReadCeiling: (arm.bytes / medianMs) * ceilingMsPerByte,
  };
}

function reportText({ backend, timer, evictedMiB, ceilingMiB, shape, results, ratios }: Omit<KernelBenchReport, 'text'>): string {
  const rows = results.map((r) =>
    [
      r.id.padEnd(16),
      `${r.medianMs.toFixed(3)} ms`.padStart(13),
      `${r.gigabytesPerSecond.toFixed(1)} GB/s`.padStart(12),
      `${r.gigaflopsPerSecond.toFixed(1)} GFLOP/s`.padStart(18),
      `${(100 * r.shareOfReadCeiling).toFixed(0)}% of the read ceiling`.padStart(25),
      ...(r.shareOfReadCeiling > CEILING_NOISE ? ['(above the ceiling: not all of it was read from memory)'] : []),
    ].join(' '),
  );
  const n = results[0]?.samplesMs.length ?? 0;
  return [
    backend,
    `B${shape.batch} H${shape.heads} Hkv${shape.kvHeads} D${shape.headDim} N${shape.tokens} kv ${shape.kvDType} activations ${shape.activations}`,
    `median of ${n} interleaved rounds in one process by ${timer}; cold caches: ${evictedMiB} MiB of other data are read before each timing`,
    `read ceiling: ${ceilingMiB} MiB read once`,
    ...rows,
    ...ratios.map(ratioLine),
  ].join('\n');
}

function ratioLine({ name, estimate, low, high, rounds }: KernelRatio): string {
  const interval = low === null || high === null ? '(too few rounds for an interval)' : `[${low.toFixed(3)}, ${high.toFixed(3)}]`;
  return `${name}: ${estimate.toFixed(3)} ${interval} n=${rounds}`;
}
