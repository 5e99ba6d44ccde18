import { adjustFamily } from './paired.ts';
import type { RecordOf } from './record.ts';
import { pairedRetrieval } from './retrieval.ts';
import type { MethodSummary, Summary } from './summary.ts';

/**
 * Methods whose measured KV bytes differ by no more than this compare at equal budget: the optimizer spends at least 98% of what the
 * uniform plan of the budget does, in whole blocks.
 */
export const EQUAL_BUDGET = 0.02;

/** Rungs of the ablation: what may differ between heads. */
const RUNGS: readonly (string | null)[] = [null, 'uniform', 'layers', 'heads', 'elastic'];

/**
 * Retrieval compared within each group of methods of equal budget, pooled over lengths: every method with the most uniform one, and every
 * rung of the ablation with the one below. Holm-adjusted together.
 */
export function summarizeContrasts(
  methods: readonly MethodSummary[],
  samples: readonly RecordOf<'sample'>[],
  baseline: string,
): Summary['contrasts'] {
  const retrieval = samples.filter((sample) => sample.part === 'retrieval');
  const of = (id: string): RecordOf<'sample'>[] => retrieval.filter((sample) => sample.method === id);
  const pairs = budgetGroups(methods.filter((method) => method.id !== baseline)).flatMap(comparisons);
  const paired = adjustFamily(pairs.map(([own, other]) => pairedRetrieval(other.id, of(own.id), of(other.id))));
  return pairs.flatMap(([own], i) => {
    const result = paired[i];
    return result === null || result === undefined ? [] : [{ method: own.id, length: null, paired: result }];
  });
}

/** Methods grouped by equal measured KV bytes at every length that they share. */
export function budgetGroups(methods: readonly MethodSummary[]): MethodSummary[][] {
  const groups: MethodSummary[][] = [];
  for (const method of methods) {
    if (method.kvBytes.length === 0) continue;
    const group = groups.find(([first]) => first !== undefined && largestBudgetGap(first, method) <= EQUAL_BUDGET);
    if (group === undefined) groups.push([method]);
    else group.push(method);
  }
  return groups;
}

/** Largest relative difference of resident KV bytes over shared lengths. */
export function largestBudgetGap(a: MethodSummary, b: MethodSummary): number {
  const gaps = a.kvBytes.flatMap(({ length, resident }) => {
    const other = b.kvBytes.find((memory) => memory.length === length);
    return other === undefined ? [] : [Math.abs(resident / other.resident - 1)];
  });
  return gaps.length === 0 ? Number.POSITIVE_INFINITY : Math.max(...gaps);
}

/** How free a method's spans are: 0 nothing told, 1 uniform ... 4 elastic. */
export function rungOf(method: MethodSummary): number {
  return RUNGS.indexOf(method.heterogeneity);
}

function comparisons(group: readonly MethodSummary[]): (readonly [MethodSummary, MethodSummary])[] {
  const ladder = [...group].sort((a, b) => rungOf(a) - rungOf(b));
  const [first, ...rest] = ladder;
  if (first === undefined) return [];
  const toFirst = rest.map((method) => [method, first] as const);
  const toPrevious = rest.slice(1).map((method, i) => [method, rest[i] as MethodSummary] as const);
  return [...toFirst, ...toPrevious];
}
