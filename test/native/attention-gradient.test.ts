// Attention backward and influence on the cpu backend against float64 loops over ragged segments.
import { afterAll, expect, test } from 'vitest';
import { Rng } from '../../src/core/rng.ts';
import { createCpuBackend } from '../../src/native/cpu.ts';
import {
  addScaled,
  attentionOutput,
  attentionWeights,
  dot,
  key,
  kvHeadOf,
  largestError,
  query,
  randomSequence,
  randomSixteenths,
  type Sequence,
  value,
} from './attention-loops.ts';

const TOLERANCE = 2e-6; // relative to the largest element: f32 sums over a few hundred keys
const BIN = 64;
const backend = createCpuBackend({ threads: 2 });
afterAll(() => backend.dispose());

interface Setting {
  readonly lengths: readonly number[];
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly sink: number;
  readonly epsilon: number;
  /** How much higher each position's key scores than the one before, with every query: keys that a row does not see are far above its own. */
  readonly rise?: number;
}

/** Scores reach rise * tokens, which f32 has to 2^-24 of; so far off is the exponential's argument. */
const RISING_TOLERANCE = 1e-4;

function sequenceOf(tokens: number, { heads, kvHeads, headDim, rise }: Setting): Sequence {
  const sequence = randomSequence({ tokens, heads, kvHeads, headDim });
  if (rise === undefined) return sequence;
  for (let j = 0; j < tokens; j++) {
    for (let head = 0; head < heads; head++) query(sequence, j, head)[0] = Math.sqrt(headDim);
    for (let head = 0; head < kvHeads; head++) key(sequence, j, head)[0] = rise * j;
  }
  return sequence;
}

async function runBackend(setting: Setting, sequences: readonly Sequence[], gradient: Float32Array) {
  const { heads, kvHeads, headDim, lengths } = setting;
  const tokens = lengths.reduce((a, b) => a + b, 0);
  const zeros = (...shape: number[]) => backend.tensor('f32', shape);
  const qkv = zeros(tokens, (heads + 2 * kvHeads) * headDim);
  qkv.write(Float32Array.from(sequences.flatMap((s) => [...s.qkv])));
  const q = qkv.columns(0, [heads, headDim]);
  const k = qkv.columns(heads * headDim, [kvHeads, headDim]);
  const v = qkv.columns((heads + kvHeads) * headDim, [kvHeads, headDim]);
  const segments = Int32Array.from(lengths.flatMap((count, i) => [lengths.slice(0, i).reduce((a, b) => a + b, 0), count, 0, i]));
  const [out, logSumExp, gradOut] = [zeros(tokens, heads, headDim), zeros(tokens, heads), zeros(tokens, heads, headDim)];
  gradOut.write(gradient);
  const inputs = { q, k, v, out, logSumExp, segments, scale: 1 / Math.sqrt(headDim) };
  backend.attentionPrefill(inputs);
  const [gradQ, gradK, gradV] = [zeros(tokens, heads, headDim), zeros(tokens, kvHeads, headDim), zeros(tokens, kvHeads, headDim)];
  backend.attentionBackward({ ...inputs, gradOut, gradQ, gradK, gradV });
  const bins = Math.ceil(Math.max(...lengths) / BIN);
  const [elementwise, elementwiseSink, joint] = [zeros(kvHeads, bins), zeros(kvHeads, bins), zeros(kvHeads, bins)];
  const { sink, epsilon } = setting;
  for (let twice = 0; twice < 2; twice++) {
    backend.influence({ ...inputs, gradOut, sink, epsilon, elementwise, elementwiseSink, joint });
  }
  const outputs = { gradQ, gradK, gradV, elementwise, elementwiseSink, joint };
  const read = await Promise.all(Object.entries(outputs).map(async ([name, tensor]) => [name, await tensor.read()] as const));
  return Object.fromEntries(read);
}

/** Change of the output gradient when only the keys that `keeps` stay, minus delta; 0 when all stay. */
function jointChange(weights: readonly number[], gains: readonly number[], delta: number, keeps: (j: number) => boolean): number {
  const kept = weights.map((_, j) => j).filter(keeps);
  if (kept.length === weights.length) return 0;
  const sum = (f: (j: number) => number) => kept.reduce((total, j) => total + f(j), 0);
  return sum((j) => (weights[j] as number) * (gains[j] as number)) / sum((j) => weights[j] as number) - delta;
}

function runLoops(setting: Setting, sequences: readonly Sequence[], gradient: Float32Array) {
  const { heads, kvHeads, headDim, lengths, sink, epsilon } = setting;
  const [tokens, bins] = [lengths.reduce((a, b) => a + b, 0), Math.ceil(Math.max(...lengths) / BIN)];
  const scale = 1 / Math.sqrt(headDim);
  const [gradQ, gradK, gradV] = [heads, kvHeads, kvHeads].map((n) => new Float64Array(tokens * n * headDim)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const [elementwise, elementwiseSink, joint] = Array.from({ length: 3 }, () => new Float64Array(kvHeads * bins)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const add = (sums: Float64Array, at: number, x: number) => {
    sums[at] = (sums[at] as number) + 2 * Math.abs(x); // the op ran twice
  };
  const slot = (grad: Float64Array, row: number, count: number, head: number) =>
    grad.subarray((row * count + head) * headDim, (row * count + head + 1) * headDim);
  let start = 0;
  for (const s of sequences) {
    for (let i = 0; i < s.tokens; i++) {
      for (let head = 0; head < heads; head++) {
        const kvHead = kvHeadOf(s, head);
        const { weights } = attentionWeights(s, head, i, () => true);
        const gradOut = gradient.subarray(((start + i) * heads + head) * headDim, ((start + i) * heads + head + 1) * headDim);
        const delta = dot(attentionOutput(s, head, weights), gradOut);
        const gains = weights.map((_, j) => dot(gradOut, value(s, j, kvHead)));
        weights.forEach((weight, j) => {
          const gradScore = weight * ((gains[j] as number) - delta) * scale;
          addScaled(slot(gradQ, start + i, heads, head), gradScore, key(s, j, kvHead));
          addScaled(slot(gradK, start + j, kvHeads, kvHead), gradScore, query(s, i, head));
          addScaled(slot(gradV, start + j, kvHeads, kvHead), weight, gradOut);
          const effect = i === 0 ? weight * (gains[j] as number) : (weight * ((gains[j] as number) - delta)) / (epsilon + 1 - weight);
          add(j < sink ? elementwiseSink : elementwise, kvHead * bins + Math.floor((i - j) / BIN), effect);
        });
        for (let b = 0; b < bins; b++) {
          const keeps = (j: number) => j < sink || i - j < BIN * b || j === i;
          add(joint, kvHead * bins + b, jointChange(weights, gains, delta, keeps));
        }
      }
    }
    start += s.tokens;
  }
  return { gradQ, gradK, gradV, elementwise, elementwiseSink, joint };
}

test.each<Setting>([
  { lengths: [200], heads: 1, kvHeads: 1, headDim: 8, sink: 64, epsilon: 2 ** -7 },
  { lengths: [1, 65, 24, 130], heads: 2, kvHeads: 2, headDim: 16, sink: 64, epsilon: 2 ** -7 },
  { lengths: [150, 23], heads: 4, kvHeads: 2, headDim: 8, sink: 0, epsilon: 1e-3 },
  { lengths: [140], heads: 3, kvHeads: 1, headDim: 24, sink: 128, epsilon: 1e-3 },
  { lengths: [70, 30], heads: 2, kvHeads: 1, headDim: 16, sink: 0, epsilon: 2 ** -7, rise: 7 },
])('%o', async (setting) => {
  const { lengths, heads, headDim, rise } = setting;
  const sequences = lengths.map((tokens) => sequenceOf(tokens, setting));
  const gradient = randomSixteenths(new Rng('gradient'), lengths.reduce((a, b) => a + b, 0) * heads * headDim);
  const [actual, loops] = [await runBackend(setting, sequences, gradient), runLoops(setting, sequences, gradient)];
  for (const [name, expected] of Object.entries(loops)) {
    const largest = expected.reduce((a, x) => Math.max(a, Math.abs(x)), 1e-3);
    // Influence divides cancelling differences.
    const tolerance = rise === undefined ? TOLERANCE * (name.startsWith('grad') ? 1 : 5) : RISING_TOLERANCE;
    expect(largestError(actual[name] ?? [], expected) / largest, name).toBeLessThanOrEqual(tolerance);
  }
});
