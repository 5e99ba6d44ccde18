// GEMM on the cpu backend against float64 sums, over sizes on both sides of every block edge, layouts and storage types.
import { afterAll, describe, expect, test } from 'vitest';
import { Rng } from '../../src/core/rng.ts';
import { createCpuBackend } from '../../src/native/cpu.ts';
import { largestError, randomSixteenths } from './attention-loops.ts';

const backend = createCpuBackend({ threads: 2 });
afterAll(() => backend.dispose());

const SIZES = [
  [1, 40, 64],
  [2, 33, 7],
  [3, 1, 100],
  [6, 17, 33],
  [7, 16, 8],
  [24, 50, 130],
  [97, 35, 40],
  [200, 130, 1],
  [13, 19, 801], // two blocks of K
  [5, 2100, 9], // two blocks of N
] as const;

describe.each(['f32', 'f16', 'bf16'] as const)('%s', (dtype) => {
  describe.each([true, false])('transposeB %s', (transposeB) => {
    // 1/16 steps below 2 and K < 1000: every product and every sum is exact in f32, so nothing may differ.
    test.each(SIZES)('[%i, %i] from K = %i', async (m, n, k) => {
      const rng = new Rng(`${m}/${n}/${k}`);
      const [aData, bData, biasData, outData] = [m * (k + 5), n * k, n, m * (n + 3)].map((count) => randomSixteenths(rng, count));
      const [a, b] = [backend.tensor('f32', [m, k + 5]), backend.tensor(dtype, transposeB ? [n, k] : [k, n])];
      const [bias, out] = [backend.tensor('f32', [n]), backend.tensor('f32', [m, n + 3])];
      [a, b, bias, out].forEach((tensor, i) => {
        tensor.write([aData, bData, biasData, outData][i] as Float32Array);
      });
      const view = { a: a.columns(2, [k]), b, out: out.columns(1, [n]), transposeB };
      const product = (i: number, j: number) => {
        let sum = 0;
        for (let l = 0; l < k; l++)
          sum += (aData?.[i * (k + 5) + 2 + l] as number) * (bData?.[transposeB ? j * k + l : l * n + j] as number);
        return sum;
      };
      backend.gemm({ ...view, bias, accumulate: true });
      const expected = Float64Array.from(outData ?? []);
      for (let i = 0; i < m; i++) {
        for (let j = 0; j < n; j++)
          expected[i * (n + 3) + 1 + j] = (expected[i * (n + 3) + 1 + j] as number) + product(i, j) + (biasData?.[j] as number);
      }
      expect(largestError(await out.read(), expected)).toBe(0);
      backend.gemm(view); // overwrites
      const [first, last] = [product(0, 0), product(m - 1, n - 1)];
      const again = await view.out.read();
      expect([again[0], again[m * n - 1]]).toEqual([first, last]);
    });
  });
});
