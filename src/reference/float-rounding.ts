import { BYTES_PER_ELEMENT, type DType, type FloatDType } from '../native/backend.ts';

/** Rounds every value in place to the nearest value of `dtype`, ties to even; NaN and infinities stay. f32 is left as it is. */
export function roundToDType(values: Float32Array, dtype: FloatDType): void {
  if (dtype === 'bf16') roundToBf16(values);
  else if (dtype === 'f16') roundToF16(values);
}

function roundToBf16(values: Float32Array): void {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < bits.length; i++) {
    if (Number.isNaN(values[i])) continue; // the carry would turn some NaN into infinity
    const u = bits[i] as number;
    bits[i] = (u + 0x7fff + ((u >>> 16) & 1)) & 0xffff0000;
  }
}

/**
 * For every float32 exponent: 1.5 * 2^52 times the spacing of f16 numbers there. When it is added to a number, the float64 sum has no bits
 * left below that spacing, so the sum is rounded to f16's grid, to nearest even. Below 2^-14 the spacing stays 2^-24.
 */
const F16_SHIFTS = Float64Array.from({ length: 256 }, (_, biased) => 2 ** (Math.max(biased - 127, -14) - 10) * 1.5 * 2 ** 52);

function roundToF16(values: Float32Array): void {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < bits.length; i++) {
    const x = values[i] as number;
    if (!Number.isFinite(x)) continue;
    const shift = F16_SHIFTS[((bits[i] as number) >>> 23) & 0xff] as number;
    const rounded = x + shift - shift;
    values[i] = Math.abs(rounded) > 65504 ? Math.sign(x) * Infinity : rounded === 0 ? 0 * x : rounded;
  }
}

/** The elements of raw little-endian bytes as numbers that float32 (or int32) holds exactly. */
export function decodeRaw(bytes: Uint8Array, dtype: DType): Float32Array | Int32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = bytes.byteLength / BYTES_PER_ELEMENT[dtype];
  if (dtype === 'i32') return Int32Array.from({ length: count }, (_, i) => view.getInt32(4 * i, true));
  const out = new Float32Array(count);
  const outBits = new Uint32Array(out.buffer);
  for (let i = 0; i < count; i++) {
    if (dtype === 'f32') outBits[i] = view.getUint32(4 * i, true);
    else if (dtype === 'bf16') outBits[i] = view.getUint16(2 * i, true) << 16;
    else out[i] = decodeF16(view.getUint16(2 * i, true));
  }
  return out;
}

function decodeF16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 31;
  const mantissa = bits & 1023;
  if (exponent === 31) return mantissa === 0 ? sign * Infinity : NaN;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}
