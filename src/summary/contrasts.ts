import type { RecordOf } from '../records/record.ts';
import type { Comparable } from './comparable.ts';
import { pairedRetrieval } from './retrieval.ts';
import type { MethodSummary, Summary } from './summary.ts';

/**
 * Methods whose measured KV bytes differ by no more than this compare at equal budget: the optimizer spends at least 98% of what the
 * uniform plan of the budget does, in whole blocks.
 */
export const EQUAL_BUDGET = 0.02;
/** Methods whose budgets are this close were meant to be equal: a method with fewer bytes is compared with one of so many more. */
export const MEANT_EQUAL = 0.1;

/** Rungs of the ablation: what may differ between heads. */
const RUNGS: readonly (string | null)[] = [null, 'uniform', 'layers', 'heads', 'elastic'];

type Contrast = Summary['contrasts'][number];

/** Own KV bytes over another's. */
interface Budget {
  readonly budget: Contrast['budget'];
  readonly leastBytesRatio: number;
}

/**
 * Retrieval compared between methods of equal memory, over the lengths that all methods have: every method with the most uniform one of its
 * group, and every rung of the ablation with the one below. Not adjusted for their family yet.
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

/** Methods grouped under their most uniform one, which has as many KV bytes as each of them, or a little more; in the order of the ladder. */
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
 * How a method's resident KV bytes compare with another's at the lengths that both have: equal within 2% at all of them; or nowhere more, and up to 10%
 * fewer, so that the method may be called better, though not worse, in spite of its budget. null: neither.
 */
export function budgetOf(own: MethodSummary, other: MethodSummary): Budget | null {
  const ratios = byteRatios(own, other);
  const leastBytesRatio = Math.min(...ratios);
  if (ratios.length === 0 || Math.max(...ratios) > 1 + EQUAL_BUDGET || leastBytesRatio < 1 - MEANT_EQUAL) return null;
  return { budget: leastBytesRatio >= 1 - EQUAL_BUDGET ? 'equal' : 'fewer', leastBytesRatio };
}

/** Largest relative difference of resident KV bytes over shared lengths. */
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

/** How free a method's spans are: 0 nothing told, 1 uniform ... 4 elastic. */
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
