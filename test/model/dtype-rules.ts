import { expect } from 'vitest';
import type { Backend, DType, Ops, Tensor } from '../../src/native/backend.ts';
import { observed } from './test-backends.ts';

type Fields = Readonly<Record<string, unknown>>;

/**
 * The backend, failing a test that mixes dtypes beyond what `cuda` has kernels for: 16-bit operands of one dtype with f32 sums, and an
 * f32 residual stream beside 16-bit activations.
 */
export function withDTypeRules(backend: Backend): Backend {
  return observed(backend, (name, params) => {
    const given = dtypesOf(params as Fields);
    const broken = (RULES[name] ?? [sameActivations]).filter((rule) => !rule(given));
    expect(broken, `${name} of ${JSON.stringify(given)}`).toEqual([]);
  });
}

type DTypes = Readonly<Record<string, DType>>;
type Rule = (given: DTypes) => boolean;

/** Operands that may have a dtype of their own: vectors, frequencies, statistics. */
const OWN = new Set([
  'weight',
  'bias',
  'inverseFrequencies',
  'logSumExp',
  'elementwise',
  'elementwiseSink',
  'joint',
  'ids',
  'targets',
  'losses',
]);

const sameActivations: Rule = (given) =>
  new Set(Object.entries(given).flatMap(([field, dtype]) => (OWN.has(field) ? [] : [dtype]))).size <= 1;
const are =
  (dtype: DType, ...fields: readonly string[]): Rule =>
  (given) =>
    fields.every((field) => given[field] === undefined || given[field] === dtype);
const orF32 =
  (field: string, like: string): Rule =>
  (given) =>
    given[field] === 'f32' || given[field] === given[like];

const RULES: Readonly<Partial<Record<keyof Ops, readonly Rule[]>>> = {
  gemm: [({ a, b }) => a === b, orF32('out', 'a'), are('f32', 'bias')],
  embedding: [are('f32', 'out')],
  rmsNorm: [are('f32', 'weight', 'residual'), ({ x, residual, out }) => x === out || (x === 'f32' && residual === undefined)],
  rmsNormBackward: [are('f32', 'weight'), ({ x, gradX }) => x === gradX, orF32('x', 'gradOut')],
  add: [({ x, y }) => x === y || y === 'f32'],
  copy: [() => true],
  argmax: [are('f32', 'logits')],
  crossEntropy: [are('f32', 'logits', 'gradLogits')],
};

function dtypesOf(params: Fields): DTypes {
  const tensors = Object.entries(params).filter((entry): entry is [string, Tensor] => isTensor(entry[1]));
  return Object.fromEntries(tensors.map(([field, { dtype }]) => [field, dtype]));
}

function isTensor(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'dtype' in value && 'rowStride' in value;
}
