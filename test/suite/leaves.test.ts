import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ChatTemplate } from '../../src/model/format/template/chat-template.ts';
import { modelConfig } from '../../src/model/load.ts';
import { createBackend } from '../../src/native/backends.ts';
import { addressOf } from '../../src/run/addresses.ts';
import type { RunContext } from '../../src/run/context.ts';
import { generationOptions } from '../../src/run/generation-options.ts';
import { dataFile, type Identity } from '../../src/run/identity.ts';
import { modelText } from '../../src/run/model-text.ts';
import { runQuality } from '../../src/run/quality.ts';
import { runFolder } from '../../src/run/run-folder.ts';
import { runTimings } from '../../src/run/timings.ts';
import { type Cell, expandCells, isQuality } from '../../src/suite/cells.ts';
import { suiteJsonSchema } from '../../src/suite/json-schema.ts';
import { type Suite, suiteSchema } from '../../src/suite/schema.ts';
import { summarize } from '../../src/summary/summarize.ts';
import { cpuBackend, intercepted } from '../model/test-backends.ts';
import { samplePlan } from '../plan/plans.ts';
import { syntheticRecords, syntheticSuite } from '../report/synthetic-run.ts';
import { cellsOf, tinyContext, tinyModelFolder } from '../run/tiny-context.ts';

const identity: Identity = {
  model: {},
  native: {},
  device: {},
  code: { plan: {}, quality: {}, samples: {}, timing: {} },
  data: () => ({}),
};
const cpu = cpuBackend();
const modelFolder = tinyModelFolder({ endsAtOnce: true });
const templateFolder = tinyModelFolder();

/** What a suite's user can see change. */
type Observer = (suite: Suite) => unknown;

function addressAt(cell: Cell, suite: Suite) {
  return addressOf(cell, { suite, suiteFolder: 'suites', identity, plans: new Map([[cell.method, samplePlan()]]) });
}

const cells: Observer = (suite) => expandCells(suite);
/** Addresses of plans, which rest on everything that makes them. */
const plans: Observer = (suite) => cellsOf(suite, 'plan').map((cell) => addressAt(cell, suite).cell);
/** Addresses of scores and timings, at one plan, with the samples that they ask for and the files that these are read from. */
const results: Observer = (suite) =>
  expandCells(suite).map((cell) =>
    cell.kind === 'plan' ? null : [addressAt(cell, suite), ...(isQuality(cell) ? [dataFile(cell, suite, '.')] : [])],
  );
const generation: Observer = (suite) => generationOptions({ suite } as RunContext);
const summary: Observer = (suite) => summarize({ records: [], suite });
/** The effective context of a method whose accuracy falls with the length. */
const effectiveContext: Observer = ({ quality }) => {
  const suite = syntheticSuite({ samples: 5, methods: ['dense', 'uniform-25'] });
  const { retrieval } = suite.quality ?? {};
  if (retrieval === undefined) throw new Error('the synthetic suite has retrieval');
  const { threshold = 0 } = quality?.retrieval ?? {};
  const records = syntheticRecords(suite).filter((r) => r.kind === 'outcome' || (r.kind === 'sample' && r.part === 'retrieval'));
  const withThreshold = { ...suite, quality: { retrieval: { ...retrieval, threshold } } };
  return summarize({ records, suite: withThreshold }).methods.map(({ retrieval: result }) => result?.effectiveContext);
};
const folder: Observer = ({ name }) => runFolder({ suiteName: name, resume: false }).replace(/-\d.*/, '');
const config: Observer = ({ model }) => modelConfig(model.path);
/** A conversation by a template that reads the variable `mode`. */
const conversation: Observer = (suite) => {
  writeFileSync(join(templateFolder, 'chat_template.jinja'), '{{ mode }}');
  const { template } = modelText(suite, expandCells(suite), '2026-01-02');
  return ChatTemplate.read(templateFolder, template)?.render([], { addGenerationPrompt: false });
};
const device: Observer = async ({ backend: options }) => {
  const backend = await createBackend(options);
  await backend.dispose();
  return backend.description;
};
/** How many sequences each cache of a small quality cell has. */
const batches: Observer = async (suite) => {
  const sizes: number[] = [];
  const counting = intercepted(cpu, (key, value) => {
    if (key !== 'kvCache' || typeof value !== 'function') return value;
    return (spec: { readonly sequences: number }) => {
      sizes.push(spec.sequences);
      return value(spec);
    };
  });
  const context = await tinyContext(counting, modelFolder, {
    methods: [{ id: 'dense', method: 'dense' }],
    quality: { retrieval: { lengths: [512], samples: 2, source: { kind: 'longeval', files: [{ path: 'cases.jsonl', length: 512 }] } } },
    generation: suite.generation,
  });
  const test = { random_idx: ['a', 0], expected_number: 4, num_lines: 1, correct_line: 'line a: 4', prompt: 'line a: 4\nline a?' };
  writeFileSync(join(modelFolder, 'cases.jsonl'), `${JSON.stringify(test)}\n${JSON.stringify(test)}\n`);
  await runQuality({ ...context, suiteFolder: modelFolder }, cellsOf(context.suite, 'retrieval'));
  expect(sizes).not.toEqual([]);
  return sizes;
};

/** How many processes are started to time. */
const launches: Observer = async ({ efficiency }) => {
  const context = await tinyContext(cpu, modelFolder, {
    methods: [{ id: 'dense', method: 'dense' }],
    efficiency: { processes: efficiency?.processes, decode: { lengths: [128] } },
  });
  let started = 0;
  await runTimings(context, cellsOf(context.suite, 'decode'), () => {
    started++;
    return Promise.reject(new Error('not now'));
  });
  return started;
};

interface Leaf {
  /** Values that the base suite gets first, by path. */
  readonly from?: Readonly<Record<string, unknown>>;
  /** The values that differ. */
  readonly set: Readonly<Record<string, unknown>>;
  /** Where the difference shows; or the start of the sentence that refuses it. */
  readonly sees: Observer | RegExp;
}

const LONGEVAL = { 'quality.retrieval.source': { kind: 'longeval', files: [{ path: 'a.jsonl', length: 1024 }] } };
const LONGBENCH = { 'quality.longbench.source': { kind: 'longbench', folder: 'a' } };
const FILES = { kind: 'longeval', files: [{ path: 'b.jsonl', length: 1024 }] };

/** One entry a leaf of the schema; `[x]` is a member of a union, `[]` an item of a list. */
const LEAVES: Readonly<Record<string, Leaf>> = {
  version: { set: { version: 2 }, sees: /Invalid input: expected 1/ },
  name: { set: { name: 'other' }, sees: folder },
  description: { set: { description: 'other' }, sees: summary },
  seed: { set: { seed: 2 }, sees: plans },
  'model.path': { set: { 'model.path': 'dummy:vicuna-7b' }, sees: config },
  'model.weightDType': { set: { 'model.weightDType': 'bf16' }, sees: results },
  'model.kvDType': { set: { 'model.kvDType': 'bf16' }, sees: plans },
  'model.templateVariables': { set: { 'model.templateVariables': { mode: 'short' } }, sees: conversation },
  'backend.name': { set: { backend: { name: 'cuda' } }, sees: plans },
  'backend.threads': { set: { 'backend.threads': 2 }, sees: device },
  'backend.device': { set: { 'backend.device': 1 }, sees: /Expected the backend cuda for device/ },
  'backend.activations': { set: { 'backend.activations': 'bf16' }, sees: plans },
  'backend.graph': { set: { 'backend.graph': 'off' }, sees: generation },
  'generation.reserveTokens': { set: { 'generation.reserveTokens': 1024 }, sees: plans },
  'generation.reserveAfter': {
    from: { 'generation.reserveTokens': 1024 },
    set: { 'generation.reserveAfter': 'answer' },
    sees: plans,
  },
  'generation.chunkTokens': { set: { 'generation.chunkTokens': 64 }, sees: generation },
  'generation.batch': { set: { 'generation.batch': 2 }, sees: batches },
  'methods[dense].id': { set: { 'methods.0.id': 'other' }, sees: cells },
  'methods[dense].label': { set: { 'methods.0.label': 'other' }, sees: summary },
  'methods[dense].method': { set: { 'methods.0': { id: 'dense', method: 'streaming', density: 1 } }, sees: plans },
  'methods[streaming].id': { set: { 'methods.1.id': 'other' }, sees: cells },
  'methods[streaming].label': { set: { 'methods.1.label': 'other' }, sees: summary },
  'methods[streaming].method': { set: { 'methods.1': { id: 's', method: 'dense' } }, sees: plans },
  'methods[streaming].density': { set: { 'methods.1.density': 0.25 }, sees: plans },
  'methods[streaming].sinkTokens': { set: { 'methods.1.sinkTokens': 0 }, sees: plans },
  'methods[streaming].windowTokens': {
    from: { 'methods.1': { id: 's', method: 'streaming', windowTokens: 64 } },
    set: { 'methods.1.windowTokens': 128 },
    sees: plans,
  },
  'methods[moa].id': { set: { 'methods.2.id': 'other' }, sees: cells },
  'methods[moa].label': { set: { 'methods.2.label': 'other' }, sees: summary },
  'methods[moa].method': { set: { 'methods.2': { id: 'm', method: 'dense' }, compress: undefined }, sees: plans },
  'methods[moa].density': { set: { 'methods.2.density': 0.25 }, sees: plans },
  'methods[moa].heterogeneity': { set: { 'methods.2.heterogeneity': 'heads' }, sees: plans },
  'methods[moa].criterion': { set: { 'methods.2.criterion': 'moa' }, sees: plans },
  'methods[moa].semantics': { set: { 'methods.2.semantics': 'released' }, sees: plans },
  'methods[moa].rulesPerLayer': { set: { 'methods.2.rulesPerLayer': 3 }, sees: plans },
  'methods[plan].id': { set: { 'methods.3.id': 'other' }, sees: cells },
  'methods[plan].label': { set: { 'methods.3.label': 'other' }, sees: summary },
  'methods[plan].method': { set: { 'methods.3': { id: 'p', method: 'dense' } }, sees: plans },
  'methods[plan].path': { set: { 'methods.3.path': 'plans/llama-3-8b.moa.json' }, sees: plans },
  'compress.semantics': { set: { 'compress.semantics': 'released' }, sees: plans },
  'compress.epsilon': { from: { 'methods.2.criterion': 'moa' }, set: { 'compress.epsilon': 0.0078125 }, sees: plans },
  'compress.pricing': { set: { 'compress.pricing': 'mask' }, sees: plans },
  'compress.candidates': { set: { 'compress.candidates': 'released' }, sees: plans },
  'compress.lowerBound.fraction': { set: { 'compress.lowerBound': { fraction: 0.9, of: 'uniform' } }, sees: plans },
  'compress.lowerBound.of': { set: { 'compress.lowerBound': { fraction: 0.98, of: 'budget' } }, sees: plans },
  'compress.grid': { set: { 'compress.grid': 'intervals' }, sees: plans },
  'compress.calibration.tasks[]': { set: { 'compress.calibration.tasks': ['summary'] }, sees: plans },
  'compress.calibration.samplesPerLength': { set: { 'compress.calibration.samplesPerLength': 3 }, sees: plans },
  'compress.calibration.answerTokens': { set: { 'compress.calibration.answerTokens': 3 }, sees: plans },
  'compress.profileLengths[]': { set: { 'compress.profileLengths': [2048] }, sees: plans },
  'compress.constrainLengths[]': { set: { 'compress.constrainLengths': [2048] }, sees: plans },
  'compress.intervals': { set: { 'compress.intervals': 3 }, sees: plans },
  'compress.validate.length': { set: { 'compress.validate.length': 4096 }, sees: plans },
  'compress.validate.samples': { set: { 'compress.validate.samples': 3 }, sees: plans },
  'compress.validate.mean': { set: { 'compress.validate.mean': 'tasks' }, sees: plans },
  'compress.validate.answers': { set: { 'compress.validate.answers': 'reference' }, sees: plans },
  'quality.retrieval.task': { set: { 'quality.retrieval.task': 'needle' }, sees: cells },
  'quality.retrieval.source[generated].kind': { set: { 'quality.retrieval.source': FILES }, sees: results },
  'quality.retrieval.source[longeval].kind': { from: LONGEVAL, set: { 'quality.retrieval.source': { kind: 'generated' } }, sees: results },
  'quality.retrieval.source[longeval].files[].path': {
    from: LONGEVAL,
    set: { 'quality.retrieval.source.files.0.path': 'b' },
    sees: results,
  },
  'quality.retrieval.source[longeval].files[].length': {
    from: LONGEVAL,
    set: { 'quality.retrieval.source.files.0.length': 2048 },
    sees: /Expected one of quality.retrieval.lengths/,
  },
  'quality.retrieval.lengths[]': { set: { 'quality.retrieval.lengths': [2048] }, sees: cells },
  'quality.retrieval.samples': { set: { 'quality.retrieval.samples': 3 }, sees: cells },
  'quality.retrieval.threshold': { set: { 'quality.retrieval.threshold': 0.5 }, sees: effectiveContext },
  'quality.longbench.tasks[]': { set: { 'quality.longbench.tasks': ['summary'] }, sees: cells },
  'quality.longbench.source[generated].kind': { set: LONGBENCH, sees: results },
  'quality.longbench.source[longbench].kind': {
    from: LONGBENCH,
    set: { 'quality.longbench.source': { kind: 'generated' } },
    sees: results,
  },
  'quality.longbench.source[longbench].folder': {
    from: { ...LONGBENCH, 'quality.longbench.tasks': ['qasper'] },
    set: { 'quality.longbench.source.folder': 'b' },
    sees: results,
  },
  'quality.longbench.length': { set: { 'quality.longbench.length': 2048 }, sees: cells },
  'quality.longbench.samples': { set: { 'quality.longbench.samples': 3 }, sees: cells },
  'quality.perplexity.tasks[]': { set: { 'quality.perplexity.tasks': ['summary'] }, sees: cells },
  'quality.perplexity.length': { set: { 'quality.perplexity.length': 2048 }, sees: cells },
  'quality.perplexity.samples': { set: { 'quality.perplexity.samples': 3 }, sees: cells },
  'efficiency.processes': { set: { 'efficiency.processes': 1 }, sees: launches },
  'efficiency.prefill.lengths[]': { set: { 'efficiency.prefill.lengths': [2048] }, sees: cells },
  'efficiency.prefill.rounds': { set: { 'efficiency.prefill.rounds': 3 }, sees: cells },
  'efficiency.decode.lengths[]': { set: { 'efficiency.decode.lengths': [2048] }, sees: cells },
  'efficiency.decode.batch[]': { set: { 'efficiency.decode.batch': [2] }, sees: cells },
  'efficiency.decode.newTokens': { set: { 'efficiency.decode.newTokens': 3 }, sees: cells },
  'efficiency.decode.segmentMs': { set: { 'efficiency.decode.segmentMs': 3 }, sees: cells },
  'efficiency.decode.rounds': { set: { 'efficiency.decode.rounds': 3 }, sees: cells },
  'efficiency.maxBatch.length': { set: { 'efficiency.maxBatch.length': 2048 }, sees: cells },
  'efficiency.maxBatch.memoryLimitMiB': { set: { 'efficiency.maxBatch.memoryLimitMiB': 3 }, sees: cells },
  'efficiency.maxBatch.largest': { set: { 'efficiency.maxBatch.largest': 3 }, sees: cells },
  'efficiency.caches[]': { set: { 'efficiency.caches': ['dynamic'] }, sees: cells },
  'report.title': { set: { 'report.title': 'other' }, sees: summary },
  'report.baseline': { set: { 'report.baseline': 's' }, sees: summary },
};

const BASE = {
  version: 1,
  name: 'walk',
  model: { path: 'dummy:tiny' },
  backend: { name: 'cpu', threads: 1 },
  generation: {},
  methods: [
    { id: 'dense', method: 'dense' },
    { id: 's', method: 'streaming', density: 0.5 },
    { id: 'm', method: 'moa', density: 0.5 },
    { id: 'p', method: 'plan', path: 'plans/vicuna-7b.moa.json' },
  ],
  compress: {
    calibration: { tasks: ['lines'], samplesPerLength: 1 },
    profileLengths: [1024, 2048],
    constrainLengths: [1024],
    validate: { length: 2048 },
  },
  quality: {
    retrieval: { lengths: [1024], samples: 1 },
    longbench: { tasks: ['lines'], length: 1024, samples: 1 },
    perplexity: { tasks: ['lines'], length: 1024, samples: 1 },
  },
  efficiency: {
    prefill: { lengths: [1024] },
    decode: { lengths: [1024] },
    maxBatch: { length: 1024, memoryLimitMiB: 64 },
  },
  report: {},
};

type Node = Record<string, unknown>;

/** A copy of the suite with values at paths such as `methods.1.density`. */
function withValues(suite: Node, values: Readonly<Record<string, unknown>> = {}): Node {
  const copy = structuredClone(suite);
  for (const [path, value] of Object.entries(values)) {
    const keys = path.split('.');
    const last = keys.pop() as string;
    const parent = keys.reduce((node, key) => node[key] as Node, copy);
    parent[last] = value;
  }
  return copy;
}

interface JsonSchema {
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  readonly oneOf?: readonly JsonSchema[];
  readonly const?: unknown;
}

/** Every place of the schema where a value stands. */
function leavesOf(schema: JsonSchema, path: string): string[] {
  const { properties, items, oneOf } = schema;
  if (items !== undefined) return leavesOf(items, items.oneOf === undefined ? `${path}[]` : path);
  if (oneOf !== undefined) {
    return oneOf.flatMap((member) => {
      const { method, kind } = member.properties ?? {};
      return leavesOf(member, `${path}[${(method ?? kind)?.const}]`);
    });
  }
  if (properties === undefined) return [path];
  return Object.entries(properties).flatMap(([key, value]) => leavesOf(value, path === '' ? key : `${path}.${key}`));
}

test('every leaf of the schema is in the table', () => {
  expect(leavesOf(JSON.parse(suiteJsonSchema()) as JsonSchema, '')).toEqual(expect.arrayContaining(Object.keys(LEAVES)));
  expect(Object.keys(LEAVES)).toEqual(expect.arrayContaining(leavesOf(JSON.parse(suiteJsonSchema()) as JsonSchema, '')));
});

describe('a leaf acts or is refused', () => {
  test.each(Object.entries(LEAVES))('%s', async (_, { from, set, sees }) => {
    const base = withValues(BASE, from);
    const before = suiteSchema.parse(base);
    const changed = suiteSchema.safeParse(withValues(base, set));
    if (sees instanceof RegExp) {
      expect(changed.error?.issues.map(({ message }) => message).join('\n')).toMatch(sees);
    } else {
      expect(changed.error?.issues).toBeUndefined();
      if (changed.data !== undefined) expect(await sees(changed.data)).not.toEqual(await sees(before));
    }
  });
});
