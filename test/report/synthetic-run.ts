import { contentHash } from '../../src/core/hash.ts';
import { Rng } from '../../src/core/rng.ts';
import { cacheLayout } from '../../src/plan/cache-layout.ts';
import { type Plan, planSchema } from '../../src/plan/schema.ts';
import { densitiesAt } from '../../src/plan/spans.ts';
import type { Environment } from '../../src/records/environment.ts';
import { type RunRecord, recordSchema } from '../../src/records/record.ts';
import { type Cell, expandCells } from '../../src/suite/cells.ts';
import { type Suite, suiteSchema } from '../../src/suite/schema.ts';

/**
 * A made-up run for tests of summary and report: seeded, plausible, and in no way a result. Retrieval falls with the share of heads that
 * cannot reach the evidence, timings with KV bytes.
 */
const LENGTHS = [1024, 2048, 4096, 8192] as const;
const TASKS = {
  multi_qa: 'multi-doc-qa',
  single_qa: 'single-doc-qa',
  fewshot: 'few-shot',
  summary: 'summarization',
  passage: 'synthetic',
  code: 'code',
} as const;
const MODEL = { name: 'synthetic-7m', weightsHash: 'feedbeef', layers: 8, heads: 8, kvHeads: 8, headDim: 32 } as const;

export function syntheticSuite({ samples = 20, methods }: { samples?: number; methods?: readonly string[] } = {}): Suite {
  const suite = suiteSchema.parse({
    version: 1,
    name: 'synthetic',
    description: 'Made-up records for tests of the report; not a result.',
    model: { path: 'dummy:synthetic' },
    methods: [
      { id: 'dense', method: 'dense', label: 'Dense' },
      { id: 'uniform-50', method: 'streaming', density: 0.5, label: 'Uniform 50%' },
      { id: 'moa-50', method: 'moa', density: 0.5, label: 'MoA 50%' },
      { id: 'uniform-25', method: 'streaming', density: 0.25, label: 'Uniform 25%' },
      { id: 'layers-25', method: 'moa', density: 0.25, heterogeneity: 'layers', label: '+ layers 25%' },
      { id: 'heads-25', method: 'moa', density: 0.25, heterogeneity: 'heads', label: '+ heads 25%' },
      { id: 'moa-25', method: 'moa', density: 0.25, label: 'MoA 25%' },
    ],
    compress: {
      calibration: { tasks: ['summary'] },
      profileLengths: [1024, 2048],
      constrainLengths: [1024, 2048, 4096],
      validate: { length: 3072 },
    },
    quality: {
      retrieval: { lengths: LENGTHS, samples },
      longbench: { tasks: Object.keys(TASKS), length: 2048, samples: 8 },
      perplexity: { tasks: ['summary'], length: 4096, samples: 8 },
    },
    efficiency: {
      prefill: { lengths: [2048, 4096], rounds: 7 },
      decode: { lengths: [4096, 8192], batch: [1, 4], rounds: 9 },
      maxBatch: { length: 4096, memoryLimitMiB: 512 },
      caches: ['dynamic'],
    },
    report: { title: 'A synthetic comparison' },
  });
  return methods === undefined ? suite : { ...suite, methods: suite.methods.filter((method) => methods.includes(method.id)) };
}

const STRETCH = 'synthetic';

export const syntheticEnvironment: Environment = {
  version: 1,
  time: '2025-03-01T12:00:00.000Z',
  cpu: { model: 'Synthetic CPU', logicalCores: 2, usableCores: 2, megahertz: 2500, governor: null, loadAverage: [0.31, 0.2, 0.1] },
  memory: { totalBytes: 8 * 2 ** 30, freeBytes: 6 * 2 ** 30, limitBytes: null },
  container: { detected: null, cpuQuota: null },
  os: { platform: 'linux', release: '6.1', arch: 'x64', distribution: 'Synthetic Linux' },
  node: 'v20.19.0',
  variables: { OMP_NUM_THREADS: '2' },
  git: { commit: '0123456789abcdef0123456789abcdef01234567', dirty: true },
  moabench: '0.0.0',
  packages: { vega: '6.0.0' },
  backend: { name: 'cpu', description: 'synthetic, 2 threads', details: { avx2: true } },
};

function syntheticPlan(id: string): Plan {
  const density = id === 'dense' ? 1 : id.endsWith('25') ? 0.25 : 0.5;
  const kind = id.split('-')[0] ?? '';
  const grid = (value: (layer: number, head: number) => number): number[][] =>
    Array.from({ length: MODEL.layers }, (_, layer) => Array.from({ length: MODEL.kvHeads }, (_, head) => value(layer, head)));
  // Up and down by the same amount, so that every method spends the same memory at every length.
  const swing = (layer: number, head: number): number =>
    kind === 'layers'
      ? layer % 2 === 0
        ? 0.5
        : -0.5
      : kind === 'uniform' || kind === 'dense'
        ? 0
        : (kind === 'moa' ? 0.25 : 0.5) * (head % 2 === 0 ? 1 : -1);
  const elastic = (layer: number, head: number): number => (kind === 'moa' ? ((layer + (head >> 1)) % 2 === 0 ? 64 : -64) : 0);
  return planSchema.parse({
    format: 'moabench-plan',
    version: 1,
    name: id,
    method: kind === 'dense' ? 'dense' : kind === 'uniform' ? 'streaming' : 'moa',
    model: MODEL,
    block: 64,
    sink: 64,
    heterogeneity: kind === 'dense' ? null : kind === 'moa' ? 'elastic' : kind,
    rules: { alpha: grid(elastic), beta: grid((layer, head) => density * (1 + swing(layer, head))) },
    densities: densitiesAt({ ...emptyPlan, rules: { alpha: grid(elastic), beta: grid((l, h) => density * (1 + swing(l, h))) } }, [
      ...LENGTHS,
    ]),
    provenance: { createdBy: 'synthetic' },
  });
}

const emptyPlan: Plan = {
  format: 'moabench-plan',
  version: 1,
  name: 'x',
  method: 'imported',
  model: MODEL,
  block: 64,
  sink: 64,
  heterogeneity: null,
  rules: { alpha: [], beta: [] },
  densities: {},
  provenance: { createdBy: 'synthetic' },
};

/** How well a method retrieves at a length, before noise: a made-up surface. */
function skill(id: string, length: number, depth: number): number {
  const [kind, budget] = id.split('-');
  if (kind === 'dense') return 0.98;
  const drop = { uniform: 1, layers: 0.65, heads: 0.4, moa: budget === '50' ? 0.06 : 0.22 }[kind ?? ''] ?? 1;
  const reach = budget === '50' ? 0.5 : 0.25;
  const seen = depth > 1 - reach ? 1 : 0;
  return Math.max(0.02, 0.98 - (1 - seen) * drop * (0.7 + 0.08 * Math.log2(length / 1024)));
}

/** All records of a completed run. */
export function syntheticRecords(suite: Suite = syntheticSuite()): RunRecord[] {
  const clock = { ms: Date.UTC(2025, 2, 1, 12) };
  const time = (): string => {
    clock.ms += 250;
    return new Date(clock.ms).toISOString();
  };
  const records: RunRecord[] = [
    runRecord(suite, time()),
    { kind: 'stretch', time: time(), id: STRETCH, environment: syntheticEnvironment },
  ];
  for (const cell of expandCells(suite)) {
    const ofCell = { time: time(), cell: contentHash({ cell: cell.id, suite: suite.name }), method: cell.method };
    records.push(...cellRecords(cell, suite, { ...ofCell, stretch: STRETCH }), {
      kind: 'outcome',
      ...ofCell,
      time: time(),
      cellId: cell.id,
      status: 'completed',
      wallMs: 250,
    });
  }
  records.push({ kind: 'stretchEnd', time: time(), stretch: STRETCH, loadAverage: [2.1, 1.5, 1], substitutions: [] });
  return records.map((record) => recordSchema.parse(record));
}

interface Common {
  readonly time: string;
  readonly cell: string;
  readonly method: string;
  readonly stretch: string;
}

function runRecord(suite: Suite, time: string): RunRecord {
  return {
    kind: 'run',
    time,
    recordVersion: 3,
    runId: 'synthetic',
    resumed: false,
    version: '0.0.0',
    suite: { name: suite.name, hash: contentHash(suite), path: 'suites/synthetic.yaml' },
    command: 'moabench run suites/synthetic.yaml',
    model: {
      ...MODEL,
      parameters: 6_950_000,
      weightDType: 'bf16',
      kvDType: 'f32',
      template: { hash: '0123456789abcdef', usesDate: true, date: '2026-01-02', variables: { enable_thinking: false } },
    },
    backend: { name: 'cpu', description: 'synthetic, 2 threads', threads: 2 },
  };
}

function cellRecords(cell: Cell, suite: Suite, common: Common): RunRecord[] {
  const plan = syntheticPlan(cell.method);
  const kv = (tokens: number, batch = 1): { planned: number; resident: number } => {
    const bytes = batch * cacheLayout(plan, { promptTokens: tokens, newTokens: 0, dtype: 'f32' }).bytes;
    return { planned: bytes, resident: bytes };
  };
  const noise = new Rng(cell.id);
  switch (cell.kind) {
    case 'plan':
      return planRecords(common, plan);
    case 'retrieval':
    case 'longbench':
      return Array.from({ length: cell.samples }, (_, i) => sampleRecord({ cell, common, index: i, kv }));
    case 'perplexity':
      return Array.from({ length: cell.samples }, (_, i) => {
        const hard = new Rng(`loss/${i}`).random();
        const cost = { dense: 0, uniform: 0.12, layers: 0.08, heads: 0.05, moa: 0.02 }[cell.method.split('-')[0] ?? ''] ?? 0;
        return {
          kind: 'loss',
          ...common,
          sampleId: `${cell.task}/${cell.length}/${i}`,
          content: contentHash(`${cell.task}/${cell.length}/${i}`),
          task: cell.task,
          cluster: `doc-${i}`,
          length: cell.length,
          promptTokens: cell.length - 70,
          answerTokens: 48,
          sumLoss: 48 * (0.9 + 0.4 * hard + cost * (0.5 + noise.random())),
          kvBytes: kv(cell.length),
        };
      });
    case 'prefill':
    case 'decode': {
      const tokens = cell.length;
      const batch = cell.kind === 'prefill' ? 1 : cell.batch;
      const share = kv(tokens).resident / (tokens * 8 * 8 * 32 * 2 * 4);
      const base =
        cell.kind === 'prefill'
          ? tokens * 0.2 * (0.5 + 0.5 * share)
          : 32 * (2 + batch * tokens * share * 0.0011) * (cell.cache === 'dynamic' ? 2.4 : 1);
      return Array.from({ length: suite.efficiency?.processes ?? 1 }, (_, process) => {
        const own = base * (1 + 0.006 * noise.normal());
        return {
          kind: 'measurement' as const,
          ...common,
          measure: cell.kind,
          process,
          control: cell.control,
          cache: cell.cache ?? (cell.method === 'dense' ? 'full' : 'ring'),
          length: tokens,
          batch,
          newTokens: cell.kind === 'prefill' ? 0 : cell.newTokens,
          samplesMs: Array.from({ length: cell.rounds }, () => own * (1 + 0.012 * noise.normal())),
          kvBytes: kv(tokens, batch),
          peakBytes: 6e7 + kv(tokens, batch).resident,
          rssBytes: 3e8,
        };
      });
    }
    case 'maxBatch': {
      const each = kv(cell.length).resident * (cell.cache === 'dynamic' ? 1.6 : 1);
      const limit = cell.memoryLimitMiB * 2 ** 20;
      const maxBatch = Math.floor((limit - 6e7) / each);
      return [
        {
          kind: 'capacity',
          ...common,
          cache: cell.cache ?? (cell.method === 'dense' ? 'full' : 'ring'),
          length: cell.length,
          memoryLimitBytes: limit,
          maxBatch,
          stopped: 'memory',
          trials: [
            { batch: maxBatch, peakBytes: 6e7 + maxBatch * each, fits: true },
            { batch: maxBatch + 1, peakBytes: null, fits: false },
          ],
        },
      ];
    }
  }
}

function planRecords(common: Common, plan: Plan): RunRecord[] {
  const hash = contentHash(plan);
  const made: RunRecord[] = [{ kind: 'plan', ...common, planHash: hash, path: `plans/${plan.name}.json`, reused: false, wallMs: 12, plan }];
  if (plan.method !== 'moa') return made;
  const rng = new Rng(`front/${plan.name}`);
  const points = Array.from({ length: 9 }, (_, i) => ({
    planHash: i === 4 ? hash : contentHash(`${plan.name}/${i}`),
    losses: { '1024': 0.02 + 0.012 * i + 0.003 * rng.random(), '2048': 0.16 - 0.014 * i + 0.003 * rng.random() },
    densities: plan.densities,
    gap: 0.001,
    validationLoss: 1.2 + 0.01 * (i - 4) ** 2 + 0.01 * rng.random(),
    chosen: i === 4,
  }));
  const profiles: RunRecord[] = [1024, 2048].map((tokens) => ({
    kind: 'profile',
    ...common,
    profileHash: contentHash(tokens),
    path: `profile/${tokens}.json`,
    reused: false,
    tokens,
    samples: 6,
    bins: tokens / 64,
    lossMean: 1.1,
    wallMs: 4000,
  }));
  return [...profiles, { kind: 'front', ...common, criterion: 'joint', solver: 'highs', wallMs: 900, points }, ...made];
}

interface SampleInput {
  readonly cell: Extract<Cell, { kind: 'retrieval' | 'longbench' | 'perplexity' }>;
  readonly common: Common;
  readonly index: number;
  readonly kv: (tokens: number) => { planned: number; resident: number };
}

function sampleRecord({ cell, common, index, kv }: SampleInput): RunRecord {
  const sampleId = `eval/${cell.task}/${cell.length}/1/${index}`;
  const shared = new Rng(sampleId);
  const depth = (index + 0.5) / cell.samples;
  // One uniform number a sample, shared by all methods, makes their answers correlated as those of one model are.
  const luck = shared.random();
  const number = String(shared.int(10_000, 99_999));
  const right = luck < skill(common.method, cell.length, depth);
  const graded = Math.min(
    1,
    Math.max(0, (0.35 + 0.5 * luck) * (0.5 + 0.5 * skill(common.method, cell.length, depth)) + 0.02 * new Rng(cell.id + index).normal()),
  );
  const isRetrieval = cell.kind === 'retrieval';
  const promptTokens = cell.length - shared.int(4, 20);
  return {
    kind: 'sample',
    ...common,
    part: isRetrieval ? 'retrieval' : 'longbench',
    sampleId,
    content: contentHash(sampleId),
    task: cell.task,
    category: isRetrieval ? 'synthetic' : (TASKS[cell.task as keyof typeof TASKS] ?? 'synthetic'),
    cluster: `${cell.task}-${index}`,
    length: cell.length,
    depth: isRetrieval ? depth : null,
    promptTokens,
    newTokens: 8,
    finish: 'stop',
    truncatedTokens: 0,
    evidenceDistance: isRetrieval ? Math.round((1 - depth) * promptTokens) : null,
    promptTail: `... line calm-river: REGISTER_CONTENT is <${shared.int(10_000, 99_999)}>\nNow tell me what is the <REGISTER_CONTENT> in line grey-stone? I need the number.`,
    output: right
      ? `The <REGISTER_CONTENT> in line grey-stone is <${number}>.`
      : `The <REGISTER_CONTENT> in line grey-stone is <${shared.int(10_000, 99_999)}>.`,
    expected: [number],
    score: isRetrieval ? (right ? 1 : 0) : graded,
    correct: isRetrieval ? right : null,
    kvBytes: kv(cell.length),
    prefillMs: 300,
    decodeMs: 40,
  };
}
