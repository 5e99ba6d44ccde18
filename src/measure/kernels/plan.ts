import { invalidArgument } from '../../core/errors.ts';
import { type CaseOptions, type CeilingCase, type KernelCase, type KernelCheck, SECTIONS, type Section } from './case.ts';
import { kernelChecks } from './check-cases.ts';
import { decodeCases, sweepCases } from './decode-cases.ts';
import { gradientCases, prefillCases } from './prefill-cases.ts';
import { ceilingCases, gemmCases, rowsCases } from './rows-cases.ts';

/** What one process does, in this order. When the time runs out, the cases at the end are left out. */
export interface KernelPlan {
  readonly checks: readonly KernelCheck[];
  readonly ceilings: readonly CeilingCase[];
  readonly cases: readonly KernelCase[];
  /** Bytes of the pool of random numbers from which every case takes its tensors. */
  readonly poolBytes: number;
}

const CASES: Readonly<Record<Section, (options: CaseOptions) => readonly KernelCase[]>> = {
  decode: decodeCases,
  prefill: prefillCases,
  gradient: gradientCases,
  gemm: gemmCases,
  rows: rowsCases,
  sweep: sweepCases,
};

/** Keys and values of the largest case in bf16, with some room: 100 sequences x 32 heads x 8192 tokens x 128 x 2. */
const POOL_BYTES = 14e9;
/** The smallest pool for shrunk shapes: enough for the buffer sets that keep L2 cold. */
const LEAST_POOL_BYTES = 4e8;

/**
 * The chosen cases, and the checks that they need. `only`: sections, or parts of names; empty: all cases. Cases with a compiled peer come last.
 * @throws INVALID_ARGUMENT for an entry of `only` that matches no case.
 */
export function kernelPlan(options: CaseOptions & { readonly only: readonly string[] }): KernelPlan {
  const every = SECTIONS.flatMap((section) => CASES[section](options));
  const unknown = options.only.find((asked) => !every.some((one) => isMeant(one, asked)));
  if (unknown !== undefined) throw invalidArgument(`a section (${SECTIONS.join(', ')}) or a part of a case's name`, '--only', unknown);
  const chosen = every.filter((one) => options.only.length === 0 || options.only.some((asked) => isMeant(one, asked)));
  const isCompiled = (one: KernelCase): boolean => one.arms.some(({ by }) => by === 'flex');
  const cases = [...chosen.filter((one) => !isCompiled(one)), ...chosen.filter(isCompiled)];
  const needs = cases.flatMap((one) => one.needs);
  return {
    checks: kernelChecks().filter(({ name }) => options.only.length === 0 || needs.some((need) => name.startsWith(need))),
    ceilings: ceilingCases(options),
    cases,
    poolBytes: Math.max(POOL_BYTES / options.shrink ** 2, LEAST_POOL_BYTES),
  };
}

function isMeant({ section, name }: KernelCase, asked: string): boolean {
  return section === asked || name.includes(asked);
}
