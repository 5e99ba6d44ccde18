import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { optimize } from '../../../src/compress/optimize/optimize.ts';
import { loadProfile } from '../../../src/compress/profile.ts';
import { loadProse } from '../../../src/data/prose.ts';
import { densityAt, spansAt } from '../../../src/plan/spans.ts';
import type { RunContext } from '../../../src/run/context.ts';
import { cpuBackend } from '../../model/test-backends.ts';
import { tinyContext, tinyModelFolder } from '../../run/tiny-context.ts';

const modelFolder = tinyModelFolder();
const cpu = cpuBackend();

const parts = (compress: object) => ({
  methods: [{ id: 'moa', method: 'moa', density: 0.5 }],
  compress: {
    calibration: { tasks: ['lines', 'needle'], samplesPerLength: 1, answerTokens: 4 },
    profileLengths: [1024],
    constrainLengths: [1024, 2048],
    validate: { length: 1024, samples: 1 },
    ...compress,
  },
});

// Each begins with what is loaded or compiled once a process: the prose of samples, HiGHS.
let exact: RunContext;
let released: RunContext;
beforeAll(() => {
  loadProse('calibration');
});
beforeAll(async () => {
  const rules = [{ alpha: 0, beta: 0.5 }];
  const lossTables = new Map([[1024, Float64Array.of(0)]]);
  const shape = { layers: 1, kvHeads: 1, sink: 64, budget: 0.5, heterogeneity: 'elastic' } as const;
  await optimize({ ...shape, rules, lossTables, profileLengths: [1024], constraintLengths: [1024] });
});
beforeAll(async () => {
  exact = await tinyContext(cpu, modelFolder, parts({}));
});
beforeAll(async () => {
  released = await tinyContext(cpu, modelFolder, parts({ semantics: 'released' }));
});

test('a plan under released semantics: its profile, what its optimizer counts, what its cache keeps, and what it says of itself', () => {
  const context = released;
  expect(context.store.records.filter(({ kind }) => kind === 'outcome')).toMatchObject([{ status: 'completed' }]);
  const plan = context.plans.get('moa');
  if (plan === undefined) throw new Error('the suite has a plan');
  const [front] = context.store.records.flatMap((record) => (record.kind === 'front' ? [record] : []));

  expect(plan.provenance.semantics).toMatchObject({
    name: 'released',
    criterion: 'moa',
    epsilon: 2 ** -7,
    pricing: 'mask',
    reserveTokens: 1024,
  });
  expect(front?.semantics).toEqual(plan.provenance.semantics);
  const profiles = readdirSync(join(context.folder, 'profile')).filter((name) => name.startsWith('influence-'));
  expect(profiles.map((name) => loadProfile(join(context.folder, 'profile', name)).epsilon)).toEqual([2 ** -7]);

  const priced = front?.points.find(({ chosen }) => chosen)?.densities ?? {};
  for (const tokens of [1024, 2048]) {
    expect(priced[tokens]).toBeGreaterThanOrEqual(0.45);
    expect(priced[tokens]).toBeLessThanOrEqual(0.5);
    // At run time every head has a block less than the optimizer counted, but for those whose smallest span is more than that.
    expect(densityAt(plan, tokens)).toBeLessThan(priced[tokens] as number);
    expect(Math.min(...spansAt(plan, tokens))).toBeGreaterThanOrEqual(128);
  }
});

test('a plan under exact semantics is priced with what its cache keeps', () => {
  const context = exact;
  const plan = context.plans.get('moa');
  if (plan === undefined) throw new Error('the suite has a plan');
  const [front] = context.store.records.flatMap((record) => (record.kind === 'front' ? [record] : []));
  expect(plan.provenance.semantics?.name).toBe('exact');
  const priced = front?.points.find(({ chosen }) => chosen)?.densities ?? {};
  for (const tokens of [1024, 2048]) expect(densityAt(plan, tokens)).toBeCloseTo(priced[tokens] as number, 12);
});
