import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Backend } from '../../src/native/backend.ts';
import { createTfjsBackend } from '../../src/reference/tfjs-backend.ts';

let backend: Backend;
beforeAll(async () => {
  backend = await createTfjsBackend();
});
afterAll(() => backend.dispose());

async function filled(options: { readonly seed: number; readonly deviation: number; readonly size: number }): Promise<Float32Array> {
  const out = backend.tensor('f32', [options.size]);
  backend.fillUniform({ out, ...options });
  const values = (await out.read()) as Float32Array;
  out.dispose();
  return values;
}

// Elements 0, 1, 2 and 1000000 with deviation 0.02, printed with nine digits by a C++ program around native/include/moa/uniform.h.
test.each([
  [0, [-0.0346410163, -0.010566012, -0.0199348684], -0.00256355084],
  [4294967296, [-0.010566012, -0.0297080018, -0.00117651164], 0.0203720834],
  [9007199254740991, [-0.0302947089, 0.0164768286, -0.0223332513], -0.00944577344],
])('seed %d gives the numbers of the C++ header', async (seed, first, late) => {
  const values = await filled({ seed, deviation: 0.02, size: 1_000_001 });
  expect([...values.slice(0, 3)]).toEqual(first.map(Math.fround));
  expect(values[1_000_000]).toBe(Math.fround(late));
});

test('has the deviation that was asked for, mean 0, and nothing beyond sqrt(3) deviations', async () => {
  const n = 65536;
  const values = await filled({ seed: 3, deviation: 2, size: n });
  const mean = values.reduce((sum, x) => sum + x, 0) / n;
  const square = values.reduce((sum, x) => sum + x * x, 0) / n;
  expect(Math.abs(mean)).toBeLessThan((4 * 2) / Math.sqrt(n)); // four standard errors
  expect(Math.abs(square / 4 - 1)).toBeLessThan(4 * Math.sqrt(0.8 / n)); // x^2 of a flat x has variance 0.8 of its mean squared
  expect(values.every((x) => Math.abs(x) <= 2 * Math.sqrt(3))).toBe(true);
});

test.each([
  [{ seed: -1, deviation: 1 }, 'seed'],
  [{ seed: 2 ** 53, deviation: 1 }, 'seed'],
  [{ seed: 0.5, deviation: 1 }, 'seed'],
  [{ seed: 1, deviation: -1 }, 'deviation'],
  [{ seed: 1, deviation: Number.NaN }, 'deviation'],
])('refuses %o', async (params, name) => {
  await expect(filled({ ...params, size: 1 })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', message: expect.stringContaining(name) });
});
