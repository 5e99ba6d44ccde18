import type { RecordOf } from '../records/record.ts';
import type { Comparable } from './comparable.ts';
import { pairedRetrieval } from './retrieval.ts';
import type { MethodSummary, Summary } from './summary.ts';

/**
 * Methods have an equal budget when their measured KV bytes differ by no more than this share. The optimizer spends at least 98% of what the uniform plan of
 * the same budget spends, in whole blocks.
 */
export const EQUAL_BUDGET = 0.02;
/**
 * Methods whose KV bytes differ by no more than this share were meant to have equal budgets. A method with fewer bytes is still compared with a method that has
 * up to this share more.
 */
export const MEANT_EQUAL = 0.1;

/** The rungs of the ablation, from the most uniform to the freest: what may differ between heads. null: no plan says it. */
const RUNGS: readonly (string | null)[] = [null, 'uniform', 'layers', 'heads', 'elastic'];

type Contrast = Summary['contrasts'][number];

/** How a method's KV bytes compare with another's. `leastBytesRatio`: own bytes divided by the other's, at the length where this is least. */
interface Budget {
  readonly budget: Contrast['budget'];
  readonly leastBytesRatio: number;
}

/**
 * Comparisons in retrieval between methods of equal memory, over the lengths that all methods have. Every method is compared with the most uniform method of
 * its group, and every rung of the ablation with the rung below. The p-values are not adjusted for their family yet.
 */
export function summarizeContrasts(
  methods: readonly MethodSummary[],
  { samples, comparable, baseline }: { samples: readonly RecordOf<'sample'>[]; comparable: Comparable; baseline: string },
): Contrast[] {
  const common = samples.filter((sample) => sample.part === 'retrieval' && comparable.isCommon(sample) && comparable.isWhole(sample));
  const of = (id: string): RecordOf<'sample'>[] => common.filter((sample) => sample.method === id);
  return budgetGroups(methods.filter((method) => method.id !== baseline))
    .flatMap(comparisons)
    .flatMap(([own, other]) => {
      const budget = budgetOf(own, other);
      const paired = budget === null ? null : pairedRetrieval(other.id, of(own.id), of(other.id));
      return budget === null || paired === null ? [] : [{ method: own.id, length: null, ...budget, paired }];
    });
}

/**
 * Groups of methods that can be compared at one budget. The first method of a group is its most uniform one, and has as many KV bytes as each of the others, or a
 * little more. The others follow from uniform to free.
 */
export function budgetGroups(methods: readonly MethodSummary[]): MethodSummary[][] {
  const groups: MethodSummary[][] = [];
  for (const method of methods.toSorted((a, b) => rungOf(a) - rungOf(b))) {
    if (method.kvBytes.length === 0) continue;
    const group = groups.find(([first]) => first !== undefined && budgetOf(method, first) !== null);
    if (group === undefined) groups.push([method]);
    else group.push(method);
  }
  return groups;
}

/**
 * How a method's resident KV bytes compare with another's at the lengths that both have. `equal`: within 2% at all of these lengths. `fewer`: at no length more
 * (beyond 2%), and at some length 2% to 10% fewer. A method with fewer bytes may be called better in spite of its budget, but its being worse can come from the
 * budget. null: neither.
 */
export function budgetOf(own: MethodSummary, other: MethodSummary): Budget | null {
  const ratios = byteRatios(own, other);
  const leastBytesRatio = Math.min(...ratios);
  if (ratios.length === 0 || Math.max(...ratios) > 1 + EQUAL_BUDGET || leastBytesRatio < 1 - MEANT_EQUAL) return null;
  return { budget: leastBytesRatio >= 1 - EQUAL_BUDGET ? 'equal' : 'fewer', leastBytesRatio };
}

/** The largest relative difference of two methods' resident KV bytes over the lengths that both have; infinite when they share none. */
export function largestBudgetGap(a: MethodSummary, b: MethodSummary): number {
  const gaps = byteRatios(a, b).map((ratio) => Math.abs(ratio - 1));
  return gaps.length === 0 ? Number.POSITIVE_INFINITY : Math.max(...gaps);
}

function byteRatios(own: MethodSummary, other: MethodSummary): number[] {
  return own.kvBytes.flatMap(({ length, resident }) => {
    const at = other.kvBytes.find((memory) => memory.length === length);
    return at === undefined ? [] : [resident / at.resident];
  });
}

/** How free a method's spans are: 0 not known, 1 uniform, 2 by layer, 3 by head, 4 elastic. */
export function rungOf(method: MethodSummary): number {
  return RUNGS.indexOf(method.heterogeneity);
}

function comparisons(group: readonly MethodSummary[]): (readonly [MethodSummary, MethodSummary])[] {
  const [first, ...rest] = group;
  if (first === undefined) return [];
  const toFirst = rest.map((method) => [method, first] as const);
  const toPrevious = rest.slice(1).map((method, i) => [method, rest[i] as MethodSummary] as const);
  return [...toFirst, ...toPrevious];
}
