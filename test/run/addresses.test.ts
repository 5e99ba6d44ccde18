import { describe, expect, test } from 'vitest';
import type { Plan } from '../../src/plan/schema.ts';
import { addressOf, sampleSetOf } from '../../src/run/addresses.ts';
import { cellParts } from '../../src/run/cell-parts.ts';
import type { Identity } from '../../src/run/identity.ts';
import { changedParts } from '../../src/run/parts.ts';
import { type Cell, expandCells, isQuality } from '../../src/suite/cells.ts';
import { type Suite, suiteSchema } from '../../src/suite/schema.ts';

const suite = suiteSchema.parse({
  version: 1,
  name: 'a',
  model: { path: 'dummy:tiny' },
  methods: [
    { id: 'dense', method: 'dense' },
    { id: 'half', method: 'streaming', density: 0.5 },
    { id: 'moa', method: 'moa', density: 0.5 },
  ],
  compress: {
    calibration: { tasks: ['lines'] },
    profileLengths: [512],
    constrainLengths: [512],
    validate: { length: 768 },
  },
  quality: { retrieval: { lengths: [512], samples: 25 } },
  efficiency: { decode: { lengths: [512] } },
});
const identity: Identity = {
  model: { weights: 'w', 'config.json': 'c', 'tokenizer.json': 't', 'chat template': 'p', 'end tokens': '[2]' },
  native: { 'native library': 'n' },
  device: { device: 'cpu: 2 threads', processor: 'one' },
  code: {
    plan: { 'code in compress/': 'a', 'code in model/': 'b' },
    quality: { 'code in evaluate/': 'a', 'code in model/': 'b' },
    samples: { 'code in data/': 'a' },
    timing: { 'code in measure/': 'a', 'code in model/': 'b' },
  },
  data: () => ({ 'data file': 'f' }),
};
const plan = {
  format: 'moabench-plan',
  version: 1,
  name: 'half',
  method: 'streaming',
  model: { name: 'm', weightsHash: 'w', layers: 1, kvHeads: 1, heads: 1, headDim: 8 },
  block: 64,
  sink: 64,
  heterogeneity: 'uniform',
  rules: { alpha: [[0]], beta: [[0.5]] },
  densities: {},
  provenance: { createdBy: 'test' },
} satisfies Plan;

interface Change {
  readonly suite?: Suite;
  readonly identity?: Identity;
  readonly plan?: Plan;
}

function at(cell: Cell, input: Required<Change>): string {
  return addressOf(cell, { ...input, suiteFolder: '.', plans: new Map([[cell.method, input.plan]]) }).cell;
}

/** Which of plan, score, samples and timing have another address after a change. */
function moved(change: Change): string[] {
  const after = { suite, identity, plan, ...change };
  const hashes = (input: typeof after): Record<string, string> => {
    const cells = expandCells(input.suite);
    const find = (id: string): Cell => cells.find((cell) => cell.id === id) as Cell;
    const [planCell, scored, timed] = [find('plan/moa'), find('retrieval/lines/512/half'), find('decode/512x1/half')];
    if (planCell.kind !== 'plan' || !isQuality(scored) || timed.kind !== 'decode') throw new Error('no such cells');
    return {
      plan: at(planCell, input),
      score: at(scored, input),
      samples: sampleSetOf(scored, input),
      timing: at(timed, input),
    };
  };
  const [a, b] = [hashes({ suite, identity, plan }), hashes(after)];
  return Object.keys(a).filter((name) => a[name] !== b[name]);
}

const withParts = (kind: 'model' | 'native' | 'device', parts: Record<string, string>): Identity => ({
  ...identity,
  [kind]: { ...identity[kind], ...parts },
});
const withCode = (kind: keyof Identity['code'], parts: Record<string, string>): Identity => ({
  ...identity,
  code: { ...identity.code, [kind]: { ...identity.code[kind], ...parts } },
});
const all = ['plan', 'score', 'samples', 'timing'];
const inSuite = (change: object): Change => ({ suite: { ...suite, ...change } });
const retrieval = suite.quality?.retrieval;

describe('addresses of cells', () => {
  test.each<[string, Change, readonly string[]]>([
    ['weights', { identity: withParts('model', { weights: 'x' }) }, all],
    ['tokenizer', { identity: withParts('model', { 'tokenizer.json': 'x' }) }, all],
    ['chat template', { identity: withParts('model', { 'chat template': 'x' }) }, all],
    ['end tokens', { identity: withParts('model', { 'end tokens': '[3]' }) }, all],
    ['native library', { identity: withParts('native', { 'native library': 'x' }) }, ['plan', 'score', 'timing']],
    ['device', { identity: withParts('device', { device: 'cpu: 4 threads' }) }, ['timing']],
    ['compressing code', { identity: withCode('plan', { 'code in compress/': 'x' }) }, ['plan']],
    ['scoring code', { identity: withCode('quality', { 'code in evaluate/': 'x' }) }, ['score']],
    ['code of samples', { identity: withCode('samples', { 'code in data/': 'x' }) }, ['samples']],
    ['timing code', { identity: withCode('timing', { 'code in measure/': 'x' }) }, ['timing']],
    ['data file', { identity: { ...identity, data: () => ({ 'data file': 'x' }) } }, ['samples']],
    ['rules of the plan', { plan: { ...plan, rules: { alpha: [[0]], beta: [[0.25]] } } }, ['score', 'timing']],
    ['sink of the plan', { plan: { ...plan, sink: 0 } }, ['score', 'timing']],
    ['name of the plan', { plan: { ...plan, name: 'other', provenance: { createdBy: 'someone' } } }, []],
    ['number of samples', inSuite({ quality: { retrieval: { ...retrieval, samples: 20 } } }), ['samples']],
    ['seed', inSuite({ seed: 2 }), ['plan', 'samples', 'timing']],
    ['cache dtype', inSuite({ model: { ...suite.model, kvDType: 'bf16' } }), ['plan', 'score', 'timing']],
    ['activations', inSuite({ backend: { ...suite.backend, activations: 'bf16' } }), ['plan', 'score', 'timing']],
    ['recordings', inSuite({ backend: { ...suite.backend, graph: 'off' } }), ['timing']],
    ['report', inSuite({ report: { ...suite.report, title: 'Other' } }), []],
  ])('a change of %s moves what it decides, and nothing else', (_, change, expected) => {
    expect(moved(change)).toEqual(expected);
  });

  test('two methods with equal plans have cells of their own', () => {
    const [dense, half] = expandCells(suite).filter((cell) => cell.kind === 'decode');
    if (dense?.kind !== 'decode' || half?.kind !== 'decode') throw new Error('no such cells');
    const input = { suite, identity, plan };
    expect(at(dense, input)).not.toBe(at(half, input));
  });

  test('their parts say in words what changed', () => {
    const cell = expandCells(suite).find(({ kind }) => kind === 'decode') as Extract<Cell, { kind: 'decode' }>;
    const before = cellParts(cell, suite, identity, plan);
    const now = withParts('model', { weights: 'a'.repeat(64), 'config.json': 'b'.repeat(64), 'tokenizer.json': 'c'.repeat(64) });
    const after = cellParts(cell, { ...suite, model: { ...suite.model, kvDType: 'bf16' } }, now, plan);
    // The hash of the weights covers config.json: that it changed too says nothing more.
    expect(changedParts(before, after)).toEqual(['config.json changed', 'tokenizer.json changed', 'kvDType changed from f32 to bf16']);
    expect(changedParts({ a: '1' }, { b: '2' })).toEqual(['a is gone', 'b is new']);
  });
});
