import type { OnProgress } from '../core/progress.ts';
import { median } from '../core/statistics.ts';
import type { Interval } from '../core/statistics-proportion.ts';
import { logRatioInterval } from '../core/statistics-timing.ts';
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
  /** Of the read ceiling of the same run, by medians. */
  readonly shareOfReadCeiling: number;
}

/** Time of one kernel over time of another, with its 95% interval over paired rounds. */
interface KernelRatio extends Interval {
  readonly name: string;
}

export interface KernelBenchReport {
  readonly backend: string;
  /** What every timing is read from. */
  readonly timer: BackendTraits['timer'];
  /** Whether the device's cache was filled with other data before every timing. */
  readonly coldCache: boolean;
  readonly shape: AttentionShape;
  readonly results: readonly KernelResult[];
  readonly ratios: readonly KernelRatio[];
  readonly text: string;
}

/** Density of the uniform and skewed spans: the paper's headline setting. */
const DENSITY = 0.5;
/** Larger than any last-level cache that this runs on, so that the ceiling is memory's; on a GPU long enough, too, to hide its start. */
const CEILING_MIB = { host: 256, device: 4096 } as const;
/** Five times the largest L2 of a GPU (60 MB, H200): nothing of an earlier run is left in it. */
const EVICTED_MIB = 288;

/** Times every kernel in interleaved rounds; ratios compare rounds taken side by side. */
export async function runKernelBench(backend: Backend, options: KernelBenchOptions): Promise<KernelBenchReport> {
  const { timer } = backend.traits;
  const coldCache = timer === 'cuda events';
  const ceiling = readCeilingArm(backend, 'read ceiling', coldCache ? CEILING_MIB.device : CEILING_MIB.host);
  const arms = [ceiling, ...makeArms(backend, options)];
  try {
    const timed = coldCache ? arms.map((arm) => coldArm(arm, ceiling)) : arms;
    const samples = await interleave(timed, { ...options, warmupRounds: 2, seed: 'kernels', stage: 'bench' });
    const msPerByte = (arm: KernelArm): readonly number[] => (samples.get(arm.id) ?? []).map((ms) => ms / arm.bytes);
    const results = arms.map((arm) => resultOf(arm, samples.get(arm.id) ?? [], median(msPerByte(ceiling))));
    const ratio = (name: string, top: string, bottom: string): KernelRatio => ({
      name,
      ...logRatioInterval(samples.get(top) ?? [], samples.get(bottom) ?? [], { seed: name, paired: true }),
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
          ...logRatioInterval(msPerByte(ceiling), msPerByte(arm), { seed: arm.id, paired: true }),
        })),
    ];
    const { heads, kvHeads, headDim, batch, tokens, kvDType, activations } = options;
    const shape = { heads, kvHeads, headDim, batch, tokens, kvDType, activations };
    const report = { backend: backend.description, timer, coldCache, shape, results, ratios };
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

/** The arm after a reading of other data. */
function coldArm(arm: KernelArm, ceiling: ReadCeilingArm): KernelArm {
  const run = (): Promise<number> => {
    ceiling.evict(EVICTED_MIB);
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

function reportText({ backend, timer, coldCache, shape, results, ratios }: Omit<KernelBenchReport, 'text'>): string {
  const rows = results.map((r) =>
    [
      r.id.padEnd(16),
      `${r.medianMs.toFixed(3)} ms`.padStart(13),
      `${r.gigabytesPerSecond.toFixed(1)} GB/s`.padStart(12),
      `${r.gigaflopsPerSecond.toFixed(1)} GFLOP/s`.padStart(18),
      `${(100 * r.shareOfReadCeiling).toFixed(0)}% of the read ceiling`.padStart(25),
    ].join(' '),
  );
  const n = results[0]?.samplesMs.length ?? 0;
  return [
    backend,
    `B${shape.batch} H${shape.heads} Hkv${shape.kvHeads} D${shape.headDim} N${shape.tokens} kv ${shape.kvDType} activations ${shape.activations}`,
    `median of ${n} interleaved rounds by ${timer}${coldCache ? ', cold cache' : ''}`,
    ...rows,
    ...ratios.map((r) => `${r.name}: ${r.estimate.toFixed(3)} [${r.low.toFixed(3)}, ${r.high.toFixed(3)}] n=${r.n}`),
  ].join('\n');
}
