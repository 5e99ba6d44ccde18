import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Backend } from '../../src/native/backend.ts';
import { createTfjsBackend } from '../../src/reference/tfjs-backend.ts';
import { loadTfjs, tfjsFlavour } from '../../src/reference/tfjs-load.ts';

let backend: Backend;
beforeAll(async () => {
  backend = await createTfjsBackend();
});
afterAll(() => backend.dispose());

const values = (count: number): Float32Array => Float32Array.from({ length: count }, (_, i) => Math.sin(7 * i + 1));

describe('createTfjsBackend', () => {
  test('says which TensorFlow.js runs and why', async () => {
    const { flavour, version, reason } = await tfjsFlavour();
    expect(['tfjs-cpu', 'tfjs-node-gpu']).toContain(flavour);
    expect(version).toMatch(/^4\./);
    expect(reason).toContain('@tensorflow/tfjs-node-gpu');
    expect(backend.description).toContain(reason);
    expect(backend.name).toBe('tfjs');
  });

  test.each([true, false])('gemm equals float64 loops, transposeB %s', async (transposeB) => {
    const [m, n, k] = [5, 7, 33];
    const a = backend.tensor('f32', [m, k]);
    const b = backend.tensor('f32', transposeB ? [n, k] : [k, n]);
    const out = backend.tensor('f32', [m, n]);
    const [av, bv] = [values(m * k), values(k * n).reverse()];
    a.write(av);
    b.write(bv);
    backend.gemm({ a, b, out, transposeB });
    const got = await out.read();
    for (let i = 0; i < m * n; i++) {
      const [row, column] = [Math.floor(i / n), i % n];
      let sum = 0;
      for (let x = 0; x < k; x++) sum += (av[row * k + x] as number) * (bv[transposeB ? column * k + x : x * n + column] as number);
      expect(got[i]).toBeCloseTo(sum, 5);
    }
    for (const tensor of [a, b, out]) tensor.dispose();
  });

  test('prints nothing and leaves no TF.js tensors behind', async () => {
    const warn = vi.spyOn(console, 'warn');
    const { tf } = await loadTfjs();
    const before = tf.memory().numTensors;
    const x = backend.tensor('f32', [3, 8]);
    x.write(values(24));
    const gradX = backend.tensor('f32', [3, 8]);
    const weight = backend.tensor('f32', [8]);
    backend.fill({ out: weight, value: 2 });
    backend.rmsNormBackward({ x, weight, gradOut: x.rows(0, 3), gradX, epsilon: 1e-5 });
    expect(() => backend.add({ x, y: weight })).toThrow('Expected shape [3, 8] for y');
    expect(tf.memory().numTensors).toBe(before);
    expect(warn).not.toHaveBeenCalled();
    for (const tensor of [x, gradX, weight]) tensor.dispose();
    warn.mockRestore();
  });

  test('takes half activations, times by the wall clock, and has no graphs', async () => {
    expect(backend.traits).toEqual({ halfActivations: true, graphs: false, timer: 'wall clock' });
    const x = backend.tensor('bf16', [2, 3]);
    const y = backend.tensor('f32', [2, 3]);
    y.write(values(6));
    expect(await backend.time(() => backend.add({ x, y }))).toBeGreaterThan(0);
    expect(await x.read()).not.toEqual(await y.read()); // rounded
    await expect(backend.time(() => backend.add({ x, y: y.rows(0, 1) }))).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(() => backend.capture(() => {})).toThrow(expect.objectContaining({ code: 'UNSUPPORTED' }));
    for (const tensor of [x, y]) tensor.dispose();
  });

  test('refuses work after dispose, and tensors of another backend', async () => {
    const other = await createTfjsBackend();
    const foreign = other.tensor('f32', [2]);
    const own = backend.tensor('f32', [2]);
    expect(() => backend.add({ x: own, y: foreign })).toThrow('a tensor of this backend');
    await other.dispose();
    expect(() => other.tensor('f32', [2])).toThrow('a live backend');
    own.dispose();
  });
});
