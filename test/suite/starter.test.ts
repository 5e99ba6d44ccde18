import { describe, expect, it } from 'vitest';
import { TASK_NAMES } from '../../src/data/tasks.ts';
import { expandCells } from '../../src/suite/cells.ts';
import { parseSuite } from '../../src/suite/load.ts';
import { STARTER_METHODS, STARTER_PARTS, type StarterOptions, starterLengths, starterSuite } from '../../src/suite/starter.ts';

const usual: StarterOptions = {
  name: 'mine',
  model: 'models/reference',
  backend: 'cpu',
  methods: ['moa'],
  densities: [0.5],
  lengths: [1024, 2048, 4096],
  parts: STARTER_PARTS,
  samples: 12,
};
const suiteOf = (options: Partial<StarterOptions>) =>
  parseSuite(starterSuite({ ...usual, ...options }), 'mine', { generatedTasks: TASK_NAMES });

describe('a starter suite', () => {
  it('compares MoA with dense attention and a uniform mask of the same memory, in quality and speed', () => {
    const suite = suiteOf({});
    expect(suite.methods.map(({ id, method }) => [id, method])).toEqual([
      ['dense', 'dense'],
      ['uniform-50', 'streaming'],
      ['moa-50', 'moa'],
    ]);
    expect(suite.report.baseline).toBe('dense');
    expect(new Set(expandCells(suite).map(({ kind }) => kind))).toEqual(
      new Set(['plan', 'retrieval', 'longbench', 'perplexity', 'prefill', 'decode']),
    );
  });

  it('has a method for each density, and names that tell them apart', () => {
    const { methods } = suiteOf({ densities: [0.125, 0.25], methods: ['moa', 'streaming'] });
    expect(methods.map(({ id }) => id)).toEqual(['dense', 'uniform-12.5', 'uniform-25', 'moa-12.5', 'moa-25']);
  });

  it('passes the schema whatever is asked for', () => {
    for (const method of STARTER_METHODS)
      for (const parts of [...STARTER_PARTS.map((part) => [part]), STARTER_PARTS])
        for (const lengths of [[1024], [1500, 8192], [128, 4096]]) {
          const suite = suiteOf({ methods: [method], parts, lengths });
          expect(suite.compress === undefined).toBe(method !== 'moa');
          expect(expandCells(suite).length).toBeGreaterThan(suite.methods.length);
        }
  });

  it('takes any path for the model', () => {
    for (const model of ['a b/\u00e9', 'x: {y}', '"#\\', 'dummy:tiny']) expect(suiteOf({ model }).model.path).toBe(model);
  });

  it('refuses lengths that calibration cannot be done at', () => {
    expect(() => starterSuite({ ...usual, lengths: [512] })).toThrow(
      'Expected a length of at least 1024 tokens for --lengths but received 512',
    );
  });
});

it('starterLengths stay within the positions of a model', () => {
  expect(starterLengths(131_072)).toEqual([1024, 2048, 4096]);
  expect(starterLengths(2048)).toEqual([512, 1024, 2048]);
});
