import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeRaw, roundToDType } from '../../src/reference/float-rounding.ts';

const PATTERNS = Uint16Array.from({ length: 65536 }, (_, i) => i);

/** Every value of the dtype that is a number, ascending. */
function numbersOf(dtype: 'f16' | 'bf16'): Float32Array {
  const all = decodeRaw(new Uint8Array(PATTERNS.buffer), dtype) as Float32Array;
  return all.filter(Number.isFinite).sort();
}

describe.each(['f16', 'bf16'] as const)('%s', (dtype) => {
  const numbers = numbersOf(dtype);

  test('every number of the dtype stays what it is', () => {
    const rounded = numbers.slice();
    roundToDType(rounded, dtype);
    expect(rounded).toEqual(numbers);
  });

  test('the middle between neighbours goes to the even one', () => {
    const evenBits = dtype === 'f16' ? 2 ** -10 : 2 ** -7; // spacing within [1, 2)
    for (let i = 0; i < 100; i++) {
      const low = 1 + i * evenBits;
      const middle = Float32Array.of(low + evenBits / 2, -(low + evenBits / 2));
      roundToDType(middle, dtype);
      const even = i % 2 === 0 ? low : low + evenBits;
      expect([...middle]).toEqual([even, -even]);
    }
  });

  test('any float32 goes to a nearest number, or to infinity past the largest', () => {
    const largest = numbers[numbers.length - 1] as number;
    fc.assert(
      fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const result = Float32Array.of(value);
        roundToDType(result, dtype);
        const rounded = result[0] as number;
        if (!Number.isFinite(rounded)) return Math.abs(value) > largest;
        return numbers.every((other) => Math.abs(other - value) >= Math.abs(rounded - value));
      }),
      { numRuns: 50 },
    );
  });

  test('NaN and infinities stay', () => {
    const special = Float32Array.of(Number.NaN, Infinity, -Infinity);
    roundToDType(special, dtype);
    expect([...special]).toEqual([Number.NaN, Infinity, -Infinity]);
  });
});

test('decodes known patterns', () => {
  const f16 = new Uint8Array(Uint16Array.of(0x3c00, 0xc000, 0x7bff, 0x0001, 0x0400, 0x7c00, 0xfc00).buffer);
  expect([...decodeRaw(f16, 'f16')]).toEqual([1, -2, 65504, 2 ** -24, 2 ** -14, Infinity, -Infinity]);
  expect([...decodeRaw(new Uint8Array(Uint16Array.of(0x3f80, 0xc040).buffer), 'bf16')]).toEqual([1, -3]);
  expect([...decodeRaw(new Uint8Array(Int32Array.of(-5, 9).buffer), 'i32')]).toEqual([-5, 9]);
});
