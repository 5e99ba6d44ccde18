// Backward ops of the reference against central differences of its own forward ops: they share no formula.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Stage, segmentsOf } from '../../src/conformance/stage.ts';
import { Rng } from '../../src/core/rng.ts';
import type { Backend, Tensor } from '../../src/native/backend.ts';
import { createTfjsBackend } from '../../src/reference/tfjs-backend.ts';

let backend: Backend;
let stage: Stage;
beforeAll(async () => {
  backend = await createTfjsBackend();
  stage = new Stage(backend, new Rng('gradients'));
});
afterAll(() => {
  stage.dispose();
  return backend.dispose();
});

const STEP = 2 ** -7; // error of the difference ~ step^2 / 6 and ~ 1e-7 / step: both below the tolerance
const TOLERANCE = 3e-3;

/** d sum(output * gradOut) / d input, element by element. */
async function centralDifferences(input: Tensor, forward: () => Tensor, gradOut: Tensor): Promise<Float64Array> {
  const values = (await input.read()) as Float32Array;
  const weights = await gradOut.read();
  const loss = async (): Promise<number> =>
    ((await forward().read()) as Float32Array).reduce((sum, x, i) => sum + x * (weights[i] as number), 0);
  const gradient = new Float64Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const shifted = async (by: number): Promise<number> => {
      input.write(values.map((x, j) => (j === i ? x + by : x)));
      return loss();
    };
    gradient[i] = ((await shifted(STEP)) - (await shifted(-STEP))) / (2 * STEP);
  }
  input.write(values);
  return gradient;
}

async function expectClose(actual: Tensor, expected: Float64Array): Promise<void> {
  const values = await actual.read();
  const scale = Math.max(...expected.map(Math.abs));
  const worst = Math.max(...Array.from(values, (x, i) => Math.abs(x - (expected[i] as number)))) / scale;
  expect(scale).toBeGreaterThan(0.1);
  expect(worst).toBeLessThan(TOLERANCE);
}

describe('backward ops', () => {
  test('rmsNormBackward', async () => {
    const [x, weight, gradOut] = [stage.normal([3, 2, 8]), stage.normal([8], { mean: 1 }), stage.normal([3, 2, 8])];
    const [out, gradX] = [stage.poisoned([3, 2, 8]), stage.poisoned([3, 2, 8])];
    const forward = (): Tensor => {
      backend.rmsNorm({ x, weight, out, epsilon: 0.1 });
      return out;
    };
    const expected = await centralDifferences(x, forward, gradOut);
    backend.rmsNormBackward({ x, weight, gradOut, gradX, epsilon: 0.1 });
    await expectClose(gradX, expected);
  });

  test('siluMulBackward', async () => {
    const [gateUp, gradOut] = [stage.normal([3, 14]), stage.normal([3, 7])];
    const [out, gradGateUp] = [stage.poisoned([3, 7]), stage.poisoned([3, 14])];
    const forward = (): Tensor => {
      backend.siluMul({ gateUp, out });
      return out;
    };
    const expected = await centralDifferences(gateUp, forward, gradOut);
    backend.siluMulBackward({ gateUp, gradOut, gradGateUp });
    await expectClose(gradGateUp, expected);
  });

  test('crossEntropy', async () => {
    const logits = stage.normal([4, 9]);
    const targets = stage.ints([8, -1, 0, 4]);
    const losses = stage.poisoned([4]);
    const forward = (): Tensor => {
      backend.crossEntropy({ logits, targets, losses });
      return losses;
    };
    const expected = await centralDifferences(logits, forward, stage.of(new Float32Array(4).fill(0.5), [4]));
    const gradLogits = stage.poisoned([4, 9]);
    backend.crossEntropy({ logits, targets, losses, gradLogits, gradScale: 0.5 });
    await expectClose(gradLogits, expected);
  });

  test('rope with inverse, scale included, is the transpose of rope', async () => {
    const inverseFrequencies = stage.of(Float32Array.of(1, 0.3, 0.1, 0.03), [4]);
    const segments = segmentsOf([0, 2, 5, 0]);
    const [x, k, gradient] = [stage.normal([2, 1, 8]), stage.normal([2, 1, 8]), stage.normal([2, 1, 8])];
    const forward = (): Tensor => {
      const rotated = stage.poisoned([2, 1, 8]);
      backend.gatherRows({ x, out: rotated, rows: Int32Array.of(0, 1) });
      backend.rope({ q: rotated, k, segments, inverseFrequencies, scale: 1.25 });
      return rotated;
    };
    const expected = await centralDifferences(x, forward, gradient);
    backend.rope({ q: gradient, k, segments, inverseFrequencies, scale: 1.25, inverse: true });
    await expectClose(gradient, expected);
  });

  test.each(['q', 'k', 'v'] as const)('attentionBackward: %s, grouped heads and two segments', async (name) => {
    const inputs = { q: stage.normal([5, 4, 4]), k: stage.normal([5, 2, 4]), v: stage.normal([5, 2, 4]) };
    const [out, logSumExp, gradOut] = [stage.poisoned([5, 4, 4]), stage.poisoned([5, 4]), stage.normal([5, 4, 4])];
    const call = { ...inputs, out, logSumExp, segments: segmentsOf([0, 3, 0, 0], [3, 2, 0, 1]), scale: 0.35 };
    const forward = (): Tensor => {
      backend.attentionPrefill(call);
      return out;
    };
    const expected = await centralDifferences(inputs[name], forward, gradOut);
    const gradients = { gradQ: stage.poisoned([5, 4, 4]), gradK: stage.poisoned([5, 2, 4]), gradV: stage.poisoned([5, 2, 4]) };
    backend.attentionBackward({ ...call, gradOut, ...gradients });
    await expectClose({ q: gradients.gradQ, k: gradients.gradK, v: gradients.gradV }[name], expected);
  });
});
