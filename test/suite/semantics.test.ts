import { describe, expect, test } from 'vitest';
import { suiteSchema } from '../../src/suite/schema.ts';
import { semanticsOf } from '../../src/suite/semantics.ts';

const COMPRESS = { calibration: { tasks: ['lines'] }, profileLengths: [1024, 2048], constrainLengths: [1024], validate: { length: 4096 } };

interface Written {
  readonly compress?: object;
  readonly generation?: object;
  readonly method?: object;
}

function written({ compress = {}, generation = {}, method = {} }: Written) {
  return {
    version: 1,
    name: 's',
    model: { path: 'dummy:tiny' },
    methods: [{ id: 'm', method: 'moa', density: 0.5, ...method }],
    compress: { ...COMPRESS, ...compress },
    generation,
  };
}

function semantics(parts: Written) {
  const suite = suiteSchema.parse(written(parts));
  const [method] = suite.methods;
  if (method?.method !== 'moa') throw new Error('the suite has a moa method');
  // A run folder keeps the suite as it was read; read again, it is the same.
  expect(suiteSchema.parse(JSON.parse(JSON.stringify(suite)))).toEqual(suite);
  return semanticsOf(suite, method);
}

const EXACT = {
  name: 'exact',
  criterion: 'joint',
  epsilon: 2 ** -23,
  pricing: 'cache',
  candidates: 'extended',
  lowerBound: { fraction: 0.98, of: 'uniform' },
  grid: 'caps',
  validationMean: 'samples',
  validationAnswers: 'model',
  reserveTokens: null,
  reserveAfter: 'prompt',
};

const RELEASED = {
  name: 'released',
  criterion: 'moa',
  epsilon: 2 ** -7,
  pricing: 'mask',
  candidates: 'released',
  lowerBound: { fraction: 0.9, of: 'budget' },
  grid: 'intervals',
  validationMean: 'tasks',
  validationAnswers: 'reference',
  reserveTokens: 1024,
  reserveAfter: 'answer',
};

test('the default is exact, and released switches every choice', () => {
  expect(semantics({})).toEqual(EXACT);
  expect(semantics({ compress: { semantics: 'released' } })).toEqual(RELEASED);
});

test.each([
  ['the criterion', { method: { criterion: 'joint' } }, { criterion: 'joint' }],
  ['the pricing', { compress: { pricing: 'cache' } }, { pricing: 'cache' }],
  ['the reserve', { generation: { reserveTokens: 0 } }, { reserveTokens: 0 }],
  ['the mean of the validation', { compress: { validate: { length: 4096, mean: 'samples' } } }, { validationMean: 'samples' }],
] as const)('%s is switched singly, and the rest is then not called as released', (_, { compress, ...parts }: Written, differs) => {
  expect(semantics({ ...parts, compress: { semantics: 'released', ...compress } })).toEqual({ ...RELEASED, name: 'mixed', ...differs });
});

test('a method may have other semantics than its suite; the reserve is of the suite', () => {
  const { reserveTokens, reserveAfter } = EXACT;
  expect(semantics({ method: { semantics: 'released' } })).toEqual({ ...RELEASED, name: 'mixed', reserveTokens, reserveAfter });
  const generation = { reserveTokens: 1024, reserveAfter: 'answer' };
  expect(semantics({ method: { semantics: 'released' }, generation })).toEqual(RELEASED);
  expect(semantics({ method: { semantics: 'exact' }, compress: { semantics: 'released' } })).toEqual({
    ...EXACT,
    name: 'mixed',
    ...generation,
  });
});

test('choices that come to a semantics are called by its name, whatever was written', () => {
  const { name: _name, criterion, reserveTokens, reserveAfter, validationMean: mean, validationAnswers: answers, ...compress } = RELEASED;
  const parts = {
    method: { criterion },
    generation: { reserveTokens, reserveAfter },
    compress: { ...compress, validate: { length: 4096, mean, answers } },
  };
  expect(semantics(parts)).toEqual(RELEASED);
});

describe('what would do nothing, or makes no sense, is refused', () => {
  test.each([
    [
      { compress: { semantics: 'released' }, method: { heterogeneity: 'heads' } },
      'Expected elastic because the released candidates are for it alone',
    ],
    [{ compress: { candidates: 'released' }, method: { heterogeneity: 'layers' } }, 'but received layers'],
    [{ compress: { epsilon: 0.0078125 } }, 'Expected a method of criterion moa'],
    [{ compress: { semantics: 'released', epsilon: 0.1 }, method: { criterion: 'joint' } }, 'Expected a method of criterion moa'],
    [{ method: { semantics: 'released', heterogeneity: 'uniform' } }, 'but received uniform'],
    [{ compress: { grid: 'intervals', profileLengths: [1024] } }, 'Expected several profileLengths'],
    [{ generation: { reserveAfter: 'answer' } }, 'Expected generation.reserveTokens'],
    [{ compress: { lowerBound: { fraction: 1.5, of: 'budget' } } }, 'Expected a number in [0, 1]'],
  ] as const)('%j', (parts: Written, message) => {
    const { error } = suiteSchema.safeParse(written(parts));
    expect(error?.issues.map((issue) => issue.message).join('\n')).toContain(message);
  });

  test('extended candidates under released semantics are for every heterogeneity', () => {
    expect(
      suiteSchema.safeParse(written({ compress: { semantics: 'released', candidates: 'extended' }, method: { heterogeneity: 'heads' } }))
        .success,
    ).toBe(true);
  });
});
