import type { ErrorCode } from '../core/errors.ts';
import type { BackendTraits, FloatDType, Ops, Tensor } from '../native/backend.ts';
import type { Stage } from './stage.ts';

/** What a case is about: an op, or what every backend's tensors, memory account and graphs must do. */
export type OpName = keyof Ops | 'tensor' | 'memory' | 'graph';

/** What a case may need that not every backend has. */
export type Requirement = 'halfActivations' | 'graphs';

/** What a case hands back: tensors are read after the run; arrays are compared as they are. */
export type CaseOutputs = Readonly<Record<string, Tensor | Float32Array | Float64Array | Int32Array>>;

/** How far a result may be from the reference, and why that far. */
export interface Tolerance {
  /** Largest |difference| / largest |reference| of an output; 0 demands equality. */
  readonly relative: number;
  readonly reason: string;
}

/**
 * One op on one random input. Its data come from a generator that is seeded by op and name, so every run on every backend gets the same
 * data. `name` prints every parameter, so that op and name together reproduce the case.
 */
export interface ConformanceCase {
  readonly op: OpName;
  readonly name: string;
  readonly tolerance: Tolerance;
  readonly run: (stage: Stage) => CaseOutputs | Promise<CaseOutputs>;
  /** The error code that the run must throw, for misuse. */
  readonly rejects?: ErrorCode;
  /** What the case needs. It is skipped, and counted as skipped, on a backend that lacks one of these. */
  readonly requires?: readonly Requirement[];
}

/** Storage rounding is the same everywhere and compute is float32, so only the order of summation differs. */
export const FLOAT32_ORDER: Tolerance = { relative: 5e-6, reason: 'float32 sums of a few hundred terms in another order' };
export const EXACT: Tolerance = { relative: 0, reason: 'copies, roundings and indices have one right answer' };

/** Relative distance of neighbouring numbers just above a power of two, with 7 and 10 stored bits. */
const UNIT = { bf16: 2 ** -7, f16: 2 ** -10 } as const;

/** The tolerance of an output that is within `float32` of the reference before it is rounded to `dtype`. */
export function storedAs(dtype: FloatDType, float32: Tolerance): Tolerance {
  if (dtype === 'f32') return float32;
  const reason = `${float32.reason}; then a value near the middle of two ${dtype} numbers may be rounded to either`;
  return { relative: UNIT[dtype] + float32.relative, reason };
}

/** What a backend must have for activations of these dtypes. */
export function needs(...activations: readonly (FloatDType | undefined)[]): Pick<ConformanceCase, 'requires'> {
  return activations.some((dtype) => dtype === 'f16' || dtype === 'bf16') ? { requires: ['halfActivations'] } : {};
}

/** What the case requires and the backend lacks. */
export function missingTraits(testCase: ConformanceCase, traits: BackendTraits): readonly Requirement[] {
  return (testCase.requires ?? []).filter((requirement) => !traits[requirement]);
}

/** Parameters as the case's name: `M=3 N=4 bias dtype=bf16`; false and undefined are left out, true is the bare key. */
export function caseName(parameters: Readonly<Record<string, string | number | boolean | undefined | ArrayLike<number>>>): string {
  const parts: string[] = [];
  for (const [key, value] of Object.entries(parameters)) {
    if (value === undefined || value === false) continue;
    if (value === true) parts.push(key);
    else parts.push(`${key}=${typeof value === 'object' ? `[${Array.from(value).join(',')}]` : value}`);
  }
  return parts.join(' ');
}
