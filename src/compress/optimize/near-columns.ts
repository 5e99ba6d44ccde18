import type { Instance } from './instance.ts';
import type { Pricer } from './pricing.ts';

/** Maximum number of rule sets of a layer that are searched. */
const MAX_SETS = 1500;

export interface NearColumns {
  readonly assignments: readonly Uint16Array[];
  /** Whether `assignments` has every assignment of the layer whose priced cost is within `slack` of the layer's best. */
  readonly complete: boolean;
}

/**
 * Assignments of a layer whose cost, at the prices set last, is within `slack` of the layer's best. With slack = best known value - bound,
 * no plan that uses another column can be better (reduced-cost fixing), so a complete answer makes the master exact. When there are more
 * than `limit`, the slack is halved until they fit.
 */
export function nearColumns(
  pricer: Pricer,
  instance: Instance,
  layer: number,
  options: { readonly slack: number; readonly limit: number },
): NearColumns {
  const priced = pricer.priceLayer(layer, MAX_SETS);
  const least = priced.sets[0]?.cost ?? 0;
  const widest = Math.min(options.slack, spread(pricer, instance, layer));
  for (let slack = widest, halvings = 0; halvings < 60; slack /= 2, halvings++) {
    const within = priced.sets.filter((set) => set.cost <= least + slack);
    const found = new Map<string, Uint16Array>();
    const fits = within.every((set) => {
      const spare = least + slack - set.cost;
      return collect(pricer, instance, { layer, rules: set.rules, slack: spare, limit: options.limit }, found);
    });
    const allSets = priced.exact && (priced.sets.length < MAX_SETS || within.length < priced.sets.length);
    if (fits) return { assignments: [...found.values()], complete: slack === widest && allSets };
  }
  return { assignments: [], complete: false };
}

/** The largest difference in cost between two assignments of a layer. */
function spread(pricer: Pricer, instance: Instance, layer: number): number {
  const { heads, rules } = instance;
  const base = layer * rules.length * heads;
  let total = 0;
  for (let h = 0; h < heads; h++) {
    let low = Number.POSITIVE_INFINITY;
    let high = Number.NEGATIVE_INFINITY;
    for (let r = 0; r < rules.length; r++) {
      const cost = pricer.costs[base + r * heads + h] as number;
      low = Math.min(low, cost);
      high = Math.max(high, cost);
    }
    total += high - low;
  }
  return total;
}

interface Search {
  readonly layer: number;
  readonly rules: readonly number[];
  readonly slack: number;
  readonly limit: number;
}

/** Adds the assignments within a rule set whose cost exceeds the set's best by at most `slack`; false when there are too many. */
function collect(pricer: Pricer, instance: Instance, search: Search, found: Map<string, Uint16Array>): boolean {
  const { heads, rules } = instance;
  const base = search.layer * rules.length * heads;
  const best = pricer.assign(search.layer, search.rules);
  const swaps: { readonly head: number; readonly rule: number; readonly excess: number }[] = [];
  for (let h = 0; h < heads; h++) {
    const cheapest = pricer.costs[base + (best[h] as number) * heads + h] as number;
    for (const rule of search.rules) {
      const excess = (pricer.costs[base + rule * heads + h] as number) - cheapest;
      if (rule !== best[h] && excess <= search.slack) swaps.push({ head: h, rule, excess });
    }
  }
  swaps.sort((a, b) => a.excess - b.excess || a.head - b.head || a.rule - b.rule);
  const visit = (assignment: Uint16Array, swapped: ReadonlySet<number>, from: number, spare: number): boolean => {
    found.set(String.fromCharCode(...assignment), assignment);
    if (found.size > search.limit) return false;
    for (let i = from; i < swaps.length; i++) {
      const swap = swaps[i] as (typeof swaps)[number];
      if (swap.excess > spare) break;
      if (swapped.has(swap.head)) continue;
      const next = Uint16Array.from(assignment);
      next[swap.head] = swap.rule;
      if (!visit(next, new Set([...swapped, swap.head]), i + 1, spare - swap.excess)) return false;
    }
    return true;
  };
  return visit(best, new Set(), 0, search.slack);
}
