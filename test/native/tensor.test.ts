import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import type { DType } from '../../src/native/backend.ts';
import { createCpuBackend } from '../../src/native/cpu.ts';

const backend = createCpuBackend({ threads: 1 });
afterAll(() => backend.dispose());

const counting = (length: number): Float32Array => Float32Array.from({ length }, (_, i) => i);

/** Round to nearest even at `mantissaBits` kept bits, for normal numbers of the target: what the conversion must give. */
function rounded(value: number, mantissaBits: number): number {
  const unit = 2 ** (Math.floor(Math.log2(Math.abs(value))) - mantissaBits);
  const scaled = value / unit;
  const floor = Math.floor(scaled);
  const rest = scaled - floor;
  const even = floor % 2 === 0 ? floor : floor + 1;
  return (rest > 0.5 ? floor + 1 : rest < 0.5 ? floor : even) * unit;
}

async function roundTrip(dtype: DType, values: Float32Array): Promise<Float32Array | Int32Array> {
  using tensor = disposable(dtype, values.length);
  tensor.value.write(values);
  return await tensor.value.read();
}

function disposable(dtype: DType, length: number) {
  const value = backend.tensor(dtype, [length]);
  return { value, [Symbol.dispose]: () => value.dispose() };
}

describe('views', () => {
  const x = backend.tensor('f32', [4, 6]);
  x.write(counting(24));

  test('share rows, columns and shapes with their owner', async () => {
    expect(await x.rows(1, 2).read()).toEqual(counting(24).slice(6, 18));
    expect(await x.columns(2, [2, 2]).read()).toEqual(Float32Array.of(2, 3, 4, 5, 8, 9, 10, 11, 14, 15, 16, 17, 20, 21, 22, 23));
    expect(await x.columns(4, [2]).rows(3, 1).read()).toEqual(Float32Array.of(22, 23));
    expect(x.reshape([2, 3, 4])).toMatchObject({ dtype: 'f32', shape: [2, 3, 4], rowStride: 12 });
    expect(x.columns(2, [2, 2])).toMatchObject({ shape: [4, 2, 2], rowStride: 6 });
  });

  test('change their owner when they are written', async () => {
    const y = backend.tensor('f16', [3, 4]);
    y.columns(1, [2]).write(Float32Array.of(1, 2, 3, 4, 5, 6));
    expect(await y.read()).toEqual(Float32Array.of(0, 1, 2, 0, 0, 3, 4, 0, 0, 5, 6, 0));
  });

  test('beyond their tensor are refused by name', () => {
    expect(() => x.rows(3, 2)).toThrow('Expected an integer from 1 to 1 for Tensor.rows rows but received 2');
    expect(() => x.columns(5, [2])).toThrow('Expected an integer from 0 to 4 for Tensor.columns start but received 5');
    expect(() => x.reshape([5, 5])).toThrow('Expected 24 elements for Tensor.reshape shape but received 25');
    expect(() => x.columns(0, [2]).reshape([8])).toThrow('Expected contiguous elements for Tensor.reshape');
  });
});

describe('dtype conversion', () => {
  test.each([
    { dtype: 'f16', mantissaBits: 10, exponents: 14 },
    { dtype: 'bf16', mantissaBits: 7, exponents: 100 },
  ] as const)('to $dtype rounds to nearest even', async ({ dtype, mantissaBits, exponents }) => {
    const number = fc
      .tuple(fc.float({ min: 1, max: 2, noNaN: true }), fc.integer({ min: -exponents, max: exponents }), fc.boolean())
      .map(([fraction, exponent, negative]) => Math.fround((negative ? -1 : 1) * fraction * 2 ** exponent));
    await fc.assert(
      fc.asyncProperty(fc.array(number, { minLength: 1, maxLength: 40 }), async (numbers) => {
        expect(Array.from(await roundTrip(dtype, Float32Array.from(numbers)))).toEqual(numbers.map((x) => rounded(x, mantissaBits)));
      }),
      { numRuns: 50 },
    );
  });

  test('keeps ties, subnormals, infinities and NaN', async () => {
    const tie = 1 + 2 ** -11; // halfway between 1 and the next f16
    const subnormal = 2 ** -24;
    const values = Float32Array.of(tie, 1 + 3 * 2 ** -11, subnormal, subnormal / 2, 65519, 65520, -Infinity, NaN, -0);
    const expected = Float32Array.of(1, 1 + 2 ** -9, subnormal, 0, 65504, Infinity, -Infinity, NaN, -0);
    expect(await roundTrip('f16', values)).toEqual(expected);
    const nan = new Float32Array(new Uint32Array([0x7f800001, 0xffffffff, 0x7fffffff]).buffer);
    expect(await roundTrip('bf16', nan)).toEqual(Float32Array.of(NaN, NaN, NaN));
  });

  test('reads back all f16 values as they are', async () => {
    const bits = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const half = backend.tensor('f16', [65536]);
    half.write(new Uint8Array(bits.buffer));
    const float = backend.tensor('f32', [65536]);
    float.write(new Uint8Array(bits.buffer), 'f16');
    const expected = Float32Array.from(bits, (b) => {
      const [sign, exponent, mantissa] = [b >> 15 ? -1 : 1, (b >> 10) & 31, b & 1023];
      if (exponent === 31) return mantissa === 0 ? sign * Infinity : NaN;
      return sign * (exponent === 0 ? mantissa * 2 ** -24 : (1 + mantissa / 1024) * 2 ** (exponent - 15));
    });
    expect(await half.read()).toEqual(expected);
    expect(await float.read()).toEqual(expected);
  });

  test('raw bytes may come from another dtype, at any offset', async () => {
    const values = Float32Array.of(1.5, -2, 1024);
    const bf16 = new Uint8Array(7);
    values.forEach((x, i) => {
      const bits = new DataView(new Float32Array([x]).buffer).getUint32(0, true) >>> 16;
      bf16.set([bits & 255, bits >>> 8], 1 + 2 * i);
    });
    const tensor = backend.tensor('f16', [3]);
    tensor.write(bf16.subarray(1), 'bf16');
    expect(await tensor.read()).toEqual(values);
  });

  test('copies at once, so that the caller may reuse its buffer', async () => {
    const data = Float32Array.of(1, 2);
    const tensor = backend.tensor('f32', [2]);
    tensor.write(data);
    data.fill(0);
    expect(await tensor.read()).toEqual(Float32Array.of(1, 2));
  });

  test('refuses other lengths and kinds', () => {
    const float = backend.tensor('f32', [2, 3]);
    const ids = backend.tensor('i32', [2]);
    expect(() => float.write(new Float32Array(5))).toThrow('Expected 6 elements for f32 [2, 3] for Tensor.write data but received 5');
    expect(() => float.write(new Int32Array(6))).toThrow('Expected float elements for Tensor.write data but received i32 for f32 [2, 3]');
    expect(() => ids.write(new Float32Array(2))).toThrow('Expected i32 elements for Tensor.write data but received f32 for i32 [2]');
    expect(() => float.write(new Uint8Array(5), 'bf16')).toThrow('Expected whole bf16 elements for Tensor.write data but received 5 bytes');
  });
});
