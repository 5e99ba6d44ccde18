import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { lossTable } from '../../../src/compress/loss-table.ts';
import { epsilonGrid } from '../../../src/compress/optimize/grid.ts';
import { createInstance } from '../../../src/compress/optimize/instance.ts';
import { releasedRules } from '../../../src/compress/optimize/rules.ts';
import type { InfluenceProfile } from '../../../src/compress/profile.ts';
import { ruleBlocks } from '../../../src/compress/rule-blocks.ts';
import { loadPlan } from '../../../src/plan/file.ts';
import { rulesOf } from '../../../src/plan/spans.ts';

type Pair = readonly [number, number];
interface Golden {
  readonly spaces: readonly {
    readonly profile: number[];
    readonly constrain: number[];
    readonly rules: readonly Pair[];
    readonly priced: Readonly<Record<string, number[]>>;
    readonly cached: Readonly<Record<string, number[]>>;
  }[];
  readonly loss: { readonly tokens: number; readonly rules: readonly Pair[]; readonly influence: number[][]; readonly losses: number[] };
  readonly bounds: readonly Readonly<Record<'budget' | 'tokens' | 'heads' | 'lower' | 'upper', number>>[];
  readonly intervals: { readonly low: number; readonly high: number; readonly count: number; readonly ends: readonly Pair[] };
}
const golden = JSON.parse(readFileSync(join(import.meta.dirname, 'optimizer.json'), 'utf8')) as Golden;
const ruleOf = ([alpha, beta]: Pair) => ({ alpha, beta });

describe.each(golden.spaces)('profiled at $profile, constrained at $constrain', ({ profile, constrain, rules, priced, cached }) => {
  test('the search space', () => {
    expect(releasedRules(profile, constrain)).toEqual(rules.map(ruleOf));
  });

  test.each(Object.keys(priced).map(Number))('the blocks of every rule at %i tokens, priced and kept', (tokens) => {
    expect(rules.map((rule) => ruleBlocks(ruleOf(rule), tokens, 64, 'mask'))).toEqual(priced[tokens]);
    expect(rules.map((rule) => ruleBlocks(ruleOf(rule), tokens, 64, 'cache'))).toEqual(cached[tokens]);
  });
});

test('a rule of whole blocks is priced with one block more than its cache keeps', () => {
  const { rules } = golden.spaces[0] as Golden['spaces'][number];
  const inner = rules.map(ruleOf).filter(({ alpha, beta }) => alpha + beta * 4096 >= 128 && alpha + beta * 4096 < 4096);
  expect(inner).toHaveLength(23);
  for (const rule of inner) expect(ruleBlocks(rule, 4096, 64, 'mask')).toBe(ruleBlocks(rule, 4096, 64, 'cache') + 1);
});

test('the loss of a rule is what its mask leaves out', () => {
  const { tokens, rules, influence, losses } = golden.loss;
  const bins = tokens / 64;
  const elementwise = new Float64Array(bins);
  influence.forEach((row, i) => {
    row.forEach((value, j) => {
      if (j >= 1 && j <= i) elementwise[i - j] = (elementwise[i - j] as number) + value;
    });
  });
  const table = lossTable(profileOf(tokens, elementwise), rules.map(ruleOf), { criterion: 'moa', pricing: 'mask' });
  expect(table).toHaveLength(48);
  table.forEach((loss, r) => {
    expect(loss).toBeCloseTo(losses[r] as number, 9);
  });
});

test.each(golden.bounds)('density bounds of $budget at $tokens tokens', ({ budget, tokens, heads, lower, upper }) => {
  const instance = createInstance({
    profileLengths: [tokens],
    constraintLengths: [tokens],
    rules: [{ alpha: 0, beta: 0.5 }],
    lossTables: new Map([[tokens, new Float64Array(heads)]]),
    budget,
    lowerBound: { fraction: 0.9, of: 'budget' },
    pricing: 'mask',
    layers: 3,
    kvHeads: heads / 3,
    sink: 64,
    heterogeneity: 'elastic',
  });
  expect({ lower: instance.lowerBlocks, upper: instance.upperBlocks }).toEqual({ lower: [lower], upper: [upper] });
});

test('the intervals of the grid', () => {
  const { low, high, count, ends } = golden.intervals;
  const grid = epsilonGrid(
    [
      { low: 0, high: 1 },
      { low, high },
    ],
    count,
    'intervals',
  ).filter(({ primary }) => primary === 0);
  expect(grid.map(({ floors, caps }) => [floors[1], caps[1]]).reverse()).toEqual(ends);
  expect(grid.every(({ weights }) => weights[0] === 1 && weights[1] === 0)).toBe(true);
});

// Mean densities of the published plans as their optimizer counts them: within its bounds, 0.45 to 0.5, at every length that it constrains.
test.each([
  ['vicuna-7b', { 2048: 0.5, 4096: 0.5, 8192: 0.5, 16384: 0.5 }],
  ['vicuna-13b', { 2048: 0.4996, 4096: 0.5, 8192: 0.492, 16384: 0.4879 }],
] as const)('the published plan of %s is one that this pricing allows', (name, densities) => {
  const rules = rulesOf(loadPlan(`suites/plans/${name}.moa.json`)).map(([rule]) => rule);
  for (const [tokens, density] of Object.entries(densities)) {
    const blocks = rules.reduce((sum, rule) => sum + ruleBlocks(rule, Number(tokens), 64, 'mask'), 0);
    expect(blocks / (rules.length * (Number(tokens) / 64))).toBeCloseTo(density, 4);
  }
});

function profileOf(length: number, elementwise: Float64Array): InfluenceProfile {
  const empty = new Float64Array(elementwise.length);
  return {
    format: 'moabench-profile',
    version: 1,
    weightsHash: '',
    calibrationHash: '',
    length,
    layers: 1,
    kvHeads: 1,
    bins: elementwise.length,
    sink: 64,
    epsilon: 2 ** -7,
    activationDType: 'f32',
    samples: 1,
    totalSamples: 1,
    lossSum: 0,
    elementwise,
    elementwiseSink: empty,
    joint: empty,
  };
}
