/** How two outputs differ. */
export interface Difference {
  /** Largest |actual - expected| / largest finite |expected|; Infinity when finiteness or length differs. */
  readonly error: number;
  /** Where and what, for a person. */
  readonly worst: string;
}

type Values = ArrayLike<number>;

/**
 * Largest error of `actual`, relative to the expected output's scale. An element that should be finite and is not, or that should be
 * NaN or infinite and is something else, is an infinite error.
 */
export function difference(actual: Values, expected: Values): Difference {
  if (actual.length !== expected.length) return { error: Infinity, worst: `${actual.length} elements instead of ${expected.length}` };
  let scale = 0;
  for (let i = 0; i < expected.length; i++) {
    const magnitude = Math.abs(expected[i] as number);
    if (Number.isFinite(magnitude)) scale = Math.max(scale, magnitude);
  }
  let [largest, at] = [0, -1];
  for (let i = 0; i < expected.length; i++) {
    const error = elementError(actual[i] as number, expected[i] as number, scale);
    if (error > largest) [largest, at] = [error, i];
  }
  return { error: largest, worst: at < 0 ? 'equal' : `[${at}] ${actual[at]} instead of ${expected[at]}` };
}

function elementError(actual: number, expected: number, scale: number): number {
  if (!Number.isFinite(expected)) return Object.is(actual, expected) ? 0 : Infinity;
  if (!Number.isFinite(actual)) return Infinity;
  const error = Math.abs(actual - expected);
  return error === 0 ? 0 : error / scale; // a reference that is zero everywhere allows no error: x / 0 is Infinity
}

/** The first element of two runs whose bits differ, for a person; null when there is none. */
export function bitDifference(first: Float32Array | Float64Array | Int32Array, second: typeof first): string | null {
  if (first.length !== second.length) return `has ${second.length} elements instead of ${first.length}`;
  const [a, b] = [first, second].map((x) => new Uint8Array(x.buffer, x.byteOffset, x.byteLength)) as [Uint8Array, Uint8Array];
  const byte = a.findIndex((bits, i) => bits !== b[i]);
  if (byte < 0) return null;
  const at = Math.floor(byte / first.BYTES_PER_ELEMENT);
  return `[${at}] ${second[at]} after ${first[at]}`;
}
