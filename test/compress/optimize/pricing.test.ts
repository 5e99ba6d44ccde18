import { describe, expect, it } from 'vitest';
import { createInstance, type Instance } from '../../../src/compress/optimize/instance.ts';
import { nearColumns } from '../../../src/compress/optimize/near-columns.ts';
import { Pricer } from '../../../src/compress/optimize/pricing.ts';
import { Rng } from '../../../src/core/rng.ts';

const rules = Array.from({ length: 7 }, (_, i) => ({ alpha: 0, beta: (i + 1) / 8 }));

/** A pricer at random prices over random losses, of any sign. */
function pricerOf(seed: number, kvHeads: number, rulesPerLayer: number): { pricer: Pricer; instance: Instance } {
  const rng = new Rng(seed);
  const table = Float64Array.from({ length: 2 * kvHeads * rules.length }, () => rng.normal());
  const instance = createInstance({
    profileLengths: [1024],
    lossTables: new Map([[1024, table]]),
    rules,
    constraintLengths: [1024, 4096],
    budget: 0.5,
    sink: 64,
    layers: 2,
    kvHeads,
    rulesPerLayer,
    heterogeneity: 'elastic',
  });
  const pricer = new Pricer(instance);
  pricer.setPrices({ loss: Float64Array.of(0.01), density: Float64Array.of(rng.normal(), rng.normal()) });
  return { pricer, instance };
}

/** Costs of all assignments of a layer with at most `limit` rules, cheapest first. */
function allCosts(pricer: Pricer, layer: number, heads: number, limit: number): number[] {
  const costs: number[] = [];
  const visit = (chosen: readonly number[]): void => {
    if (chosen.length < heads) {
      for (let r = 0; r < rules.length; r++) visit([...chosen, r]);
    } else if (new Set(chosen).size <= limit) {
      costs.push(chosen.reduce((sum, r, h) => sum + (pricer.costs[(layer * rules.length + r) * heads + h] as number), 0));
    }
  };
  visit([]);
  return costs.sort((a, b) => a - b);
}

describe('Pricer', () => {
  it.each([
    [1, 4, 1],
    [2, 4, 2],
    [3, 4, 3],
    [4, 4, 4],
    [5, 3, 5],
    [6, 5, 3],
    [7, 5, 4],
  ])('finds the cheapest plan of a layer (seed %i, %i heads, %i rules)', (seed, heads, limit) => {
    const { pricer } = pricerOf(seed, heads, limit);
    for (const layer of [0, 1]) {
      const priced = pricer.priceLayer(layer);
      const [least] = allCosts(pricer, layer, heads, limit);
      expect(priced.exact).toBe(true);
      expect(priced.bound).toBeCloseTo(least as number, 9);
      const assignment = pricer.assign(layer, priced.sets[0]?.rules ?? []);
      expect(new Set(assignment).size).toBeLessThanOrEqual(limit);
      const cost = [...assignment].reduce((sum, r, h) => sum + (pricer.costs[(layer * rules.length + r) * heads + h] as number), 0);
      expect(cost).toBeCloseTo(least as number, 9);
    }
  });
});

describe('nearColumns', () => {
  it.each([
    [1, 4, 1],
    [2, 4, 2],
    [3, 4, 3],
    [4, 3, 3],
  ])('lists every plan of a layer within the slack, when it says so (seed %i, %i heads, %i rules)', (seed, heads, limit) => {
    const { pricer, instance } = pricerOf(seed, heads, limit);
    const costs = allCosts(pricer, 1, heads, limit);
    for (const count of [1, 5, 30, costs.length].filter((n) => n <= costs.length)) {
      const slack = ((costs[count - 1] as number) + (costs[count] ?? Number.POSITIVE_INFINITY)) / 2 - (costs[0] as number);
      const near = nearColumns(pricer, instance, 1, { slack, limit: 10_000 });
      expect(near.complete).toBe(true);
      expect(near.assignments).toHaveLength(count);
    }
    const few = nearColumns(pricer, instance, 1, { slack: Number.POSITIVE_INFINITY, limit: 6 });
    expect(few.complete).toBe(false);
    expect(few.assignments.length).toBeGreaterThanOrEqual(1);
    expect(few.assignments.length).toBeLessThanOrEqual(6);
  });
});
