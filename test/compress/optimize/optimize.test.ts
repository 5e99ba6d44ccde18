import { beforeAll, describe, expect, it } from 'vitest';
import { type OptimizeOptions, optimize } from '../../../src/compress/optimize/optimize.ts';
import { candidateRules } from '../../../src/compress/optimize/rules.ts';
import { syntheticLossTables } from '../../../src/compress/optimize/synthetic.ts';
import { Rng } from '../../../src/core/rng.ts';
import type { Heterogeneity } from '../../../src/plan/schema.ts';
import { spanOfRule } from '../../../src/plan/spans.ts';
import { allPlans } from './brute-force.ts';

const lengths = { profileLengths: [1024, 2048], constraintLengths: [1024, 2048, 4096] };
/** One objective: a fast solve. */
const single = { profileLengths: [2048] };
const fewRules = [
  { alpha: 0, beta: 0.125 },
  { alpha: -512, beta: 0.75 },
  { alpha: 0, beta: 0.5 },
  { alpha: 1024, beta: 0 },
  { alpha: 0, beta: 1 },
];

function small(seed: number, over: Partial<OptimizeOptions> = {}): OptimizeOptions {
  const shape = { layers: 2, kvHeads: 3, rules: fewRules, profileLengths: lengths.profileLengths };
  const lossTables = syntheticLossTables({ seed, ...shape, ...over });
  return {
    ...shape,
    lossTables,
    constraintLengths: lengths.constraintLengths,
    sink: 64,
    budget: 0.625,
    lowerBound: { fraction: 0.8, of: 'uniform' },
    heterogeneity: 'elastic',
    maxGap: 0,
    ...over,
  };
}

/** One layer of heads whose losses differ so much that no fraction of plans is near a plan; it has more plans than HiGHS is given columns. */
function heavyTailed(seed: number): OptimizeOptions {
  const rng = new Rng(`heavy ${seed}`);
  const rules = Array.from({ length: 12 }, (_, i) => ({ alpha: 0, beta: (i + 1) / 12 }));
  const table = new Float64Array(4 * rules.length);
  for (let h = 0; h < 4; h++) {
    let loss = 0;
    for (let r = rules.length - 1; r >= 0; r--) {
      table[h * rules.length + r] = loss;
      loss += Math.exp(3 * rng.normal());
    }
  }
  return {
    layers: 1,
    kvHeads: 4,
    rules,
    rulesPerLayer: 3,
    profileLengths: [1024],
    lossTables: new Map([[1024, table]]),
    constraintLengths: [1024, 4096],
    sink: 64,
    budget: 0.625,
    lowerBound: { fraction: 1, of: 'budget' },
    heterogeneity: 'elastic',
    maxGap: 1e-4,
  };
}

/** A model of 3 layers with the default rules of a switch. */
function medium(heterogeneity: Heterogeneity, budget: number, over: Partial<OptimizeOptions> = {}): OptimizeOptions {
  const rules = candidateRules({ heterogeneity, budget, betaSteps: 8, ...lengths });
  const shape = { layers: 3, kvHeads: 4, rules, profileLengths: [2048] };
  return {
    ...shape,
    lossTables: syntheticLossTables({ seed: 7, ...shape }),
    constraintLengths: lengths.constraintLengths,
    sink: 64,
    budget,
    heterogeneity,
    ...over,
  };
}

function bruteForce(options: OptimizeOptions, rulesPerLayer: number): number[][] {
  return allPlans({
    ...options,
    rulesPerLayer,
    lower: options.constraintLengths.map(() => (options.lowerBound?.fraction ?? 0.98) * options.budget),
    upper: options.constraintLengths.map(() => options.budget),
  });
}

describe('optimize', () => {
  // Compiles HiGHS, once a process; the second run is when V8 optimizes it.
  beforeAll(async () => {
    for (const seed of [1, 2]) await optimize(small(seed, single));
  });

  it.each([1, 2, 3])('finds the optimum that trying every plan finds (one objective, seed %i)', async (seed) => {
    const options = small(seed, { profileLengths: [2048], rulesPerLayer: 1 + (seed % 3) });
    const front = await optimize(options);
    const best = Math.min(...bruteForce(options, 1 + (seed % 3)).map(([loss]) => loss as number));
    expect(front.points).toHaveLength(1);
    expect(front.points[0]?.gap).toBe(0);
    expect(front.points[0]?.objectives['2048']).toBeCloseTo(best, 9);
  });

  it.each([1, 2, 8])('proves the optimum of a small model whose relaxation is weak: the gap is 0 (seed %i)', async (seed) => {
    const options = heavyTailed(seed);
    const front = await optimize(options);
    const best = Math.min(...bruteForce(options, 3).map(([loss]) => loss as number));
    expect(front.points.map(({ objectives, gap }) => [objectives['1024'], gap])).toEqual([[expect.closeTo(best, 9), 0]]);
    expect(front.solves.aboveGap).toBe(0);
  });

  it.each([11, 12])('gives a front that no plan dominates (two objectives, seed %i)', async (seed) => {
    const options = small(seed, { intervals: 2 });
    const front = await optimize(options);
    const all = bruteForce(options, 2);
    const at = (point: (typeof front.points)[number]): number[] => [point.objectives['1024'] as number, point.objectives['2048'] as number];
    for (const point of front.points) {
      const [a, b] = at(point) as [number, number];
      const tolerance = 1e-6 * (Math.abs(a) + Math.abs(b));
      expect(all.some(([x, y]) => Math.abs((x as number) - a) <= tolerance && Math.abs((y as number) - b) <= tolerance)).toBe(true);
      expect(all.filter(([x, y]) => (x as number) < a - tolerance && (y as number) < b - tolerance)).toEqual([]);
    }
    // The ends of the front are the optima of the single objectives, and of these the plan that is best elsewhere.
    for (const p of [0, 1]) {
      const least = Math.min(...all.map((losses) => losses[p] as number));
      const end = front.points.map(at).sort((a, b) => (a[p] as number) - (b[p] as number))[0] as number[];
      expect((end[p] as number) / least).toBeCloseTo(1, 7);
      const among = all.filter((losses) => (losses[p] as number) <= least * (1 + 1e-9)).map((losses) => losses[1 - p] as number);
      expect((end[1 - p] as number) / Math.min(...among)).toBeCloseTo(1, 7);
    }
  });

  it('has the least loss of an objective in its front, whatever the others come to there', async () => {
    const rules = [0.5, 0.625].map((beta) => ({ alpha: 0, beta }));
    const lossTables = new Map([
      [1024, Float64Array.of(1, 1.003)],
      [2048, Float64Array.of(1, 0.001)],
    ]);
    const front = await optimize(small(1, { layers: 1, kvHeads: 1, rules, lossTables, lowerBound: { fraction: 0.5, of: 'budget' } }));
    expect(front.points.map(({ objectives, gap }) => [objectives['1024'], gap]).sort()).toEqual([
      [expect.closeTo(1, 9), 0],
      [expect.closeTo(1.003, 9), 0],
    ]);
  });

  it('spends the budget, keeps at most R rules a layer, and states losses and densities that its rules have', async () => {
    const options = medium('elastic', 0.5);
    const front = await optimize(options);
    expect(front.solves.aboveGap).toBe(0);
    for (const point of front.points) {
      expect(point.gap).toBeLessThanOrEqual(0.005);
      const rules = point.alpha.map((row, l) => row.map((alpha, h) => ({ alpha, beta: point.beta[l]?.[h] as number })));
      for (const layer of rules) expect(new Set(layer.map(({ alpha, beta }) => `${alpha},${beta}`)).size).toBeLessThanOrEqual(2);
      for (const tokens of options.constraintLengths) {
        const density = rules.flat().reduce((sum, rule) => sum + spanOfRule(rule, tokens, 64), 0) / (12 * tokens);
        expect(point.densities[tokens]).toBeCloseTo(density, 12);
        expect(density).toBeGreaterThanOrEqual(0.49);
        expect(density).toBeLessThanOrEqual(0.5);
      }
      for (const tokens of options.profileLengths) {
        const loss = rules.flat().reduce((sum, rule, i) => {
          const r = options.rules.findIndex(({ alpha, beta }) => alpha === rule.alpha && beta === rule.beta);
          return sum + (options.lossTables.get(tokens)?.[i * options.rules.length + r] as number);
        }, 0);
        expect(point.objectives[tokens]).toBeCloseTo(loss, 9);
      }
    }
  });

  describe('heterogeneity at equal budget', () => {
    const budget = 0.3;
    const best: number[] = [];
    it.each(['uniform', 'layers', 'heads', 'elastic'] as const)('%s is no worse than the switch before it', async (heterogeneity) => {
      const front = await optimize(medium(heterogeneity, budget));
      best.push(front.points[0]?.objectives['2048'] as number);
      const before = best.at(-2) ?? Number.POSITIVE_INFINITY;
      expect(best.at(-1)).toBeLessThanOrEqual(before * 1.005);
      for (const [tokens, density] of Object.entries(front.points[0]?.densities ?? {})) {
        const whole = Math.floor((budget * Number(tokens)) / 64) / (Number(tokens) / 64);
        expect(density).toBeGreaterThanOrEqual(0.98 * whole);
        expect(density).toBeLessThanOrEqual(budget);
      }
    });
    it('gains from heads much more than from nothing', () => {
      expect(best[2]).toBeLessThan((best[0] as number) * 0.8);
    });
  });

  it('gives the same front for the same input', async () => {
    const [a, b] = [await optimize(small(5, single)), await optimize(small(5, single))];
    expect({ ...a, seconds: 0 }).toEqual({ ...b, seconds: 0 });
  });

  it('names the length and the nearest density when the budget is out of reach', async () => {
    const tight = small(1, { budget: 0.1, rules: fewRules.slice(0, 1), profileLengths: [2048] });
    await expect(optimize(tight)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(/\[0\.0\d+, 0\.0\d+\] for the budget at 1024 tokens .* nearest is 0\.1250/),
    });
    const rich = small(1, {
      budget: 0.9,
      lowerBound: { fraction: 1, of: 'uniform' },
      rules: fewRules.slice(0, 3),
      heterogeneity: 'uniform',
    });
    await expect(optimize(rich)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', message: expect.stringContaining('nearest is') });
  });

  it('names the block counts around a budget that lies between two of them', async () => {
    for (const heterogeneity of ['elastic', 'uniform'] as const) {
      const between = small(1, { budget: 0.05, lowerBound: { fraction: 0.98, of: 'uniform' }, heterogeneity });
      await expect(optimize(between)).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        message: expect.stringMatching(
          /at 1024 tokens .* between 0\.0417 \(4 of 96 blocks\) and 0\.0521 \(5 of 96 blocks\); the sparsest rule's density is 0\.1250/,
        ),
      });
    }
  });

  it('takes tables without any loss, and with losses below zero', async () => {
    const zero = small(1, { lossTables: new Map(lengths.profileLengths.map((n) => [n, new Float64Array(2 * 3 * 5)])), budget: 0.625 });
    expect((await optimize(zero)).points[0]).toMatchObject({ gap: 0, objectives: { 1024: 0, 2048: 0 } });
    const rng = new Rng('negative');
    const table = (): Float64Array => Float64Array.from({ length: 30 }, () => rng.normal());
    const negative = small(1, { lossTables: new Map([[2048, table()]]), profileLengths: [2048], budget: 0.625 });
    const best = Math.min(...bruteForce(negative, 2).map(([loss]) => loss as number));
    expect((await optimize(negative)).points[0]?.objectives['2048']).toBeCloseTo(best, 9);
  });

  it('stops when aborted, and reports progress up to the end', async () => {
    const steps: number[] = [];
    const controller = new AbortController();
    const running = optimize(
      small(1, {
        signal: controller.signal,
        onProgress: ({ done }) => {
          steps.push(done);
          if (done === 1) controller.abort();
        },
      }),
    );
    await expect(running).rejects.toMatchObject({ name: 'AbortError' });
    expect(steps).toEqual([0, 1]);
    await optimize(small(1, { ...single, onProgress: ({ done, total }) => steps.push(done / total) }));
    expect(steps.at(-1)).toBe(1);
  });

  it('refuses malformed options', async () => {
    for (const over of [
      { budget: 0 },
      { layers: 1.5 },
      { profileLengths: [] },
      { profileLengths: [512] },
      { maxGap: -1 },
      { rules: [] },
    ] as const) {
      await expect(optimize({ ...small(1), ...over })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    }
    const nan = new Map(lengths.profileLengths.map((n) => [n, new Float64Array(30).fill(Number.NaN)]));
    await expect(optimize(small(1, { lossTables: nan }))).rejects.toThrow(/finite loss for lossTables at 1024 tokens, entry 0/);
  });
});
