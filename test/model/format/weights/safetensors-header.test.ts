import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MoaError } from '../../../../src/core/errors.ts';
import { headerLength, MAX_HEADER_BYTES, PREFIX_BYTES, parseHeader } from '../../../../src/model/format/weights/safetensors-header.ts';

const A = { dtype: 'F32', shape: [2, 3], data_offsets: [0, 24] };
const B = { dtype: 'BF16', shape: [4], data_offsets: [24, 32] };

function parse(json: unknown, options: { readonly dataBytes?: number; readonly text?: string } = {}) {
  const header = new TextEncoder().encode(options.text ?? JSON.stringify(json));
  return parseHeader(header, PREFIX_BYTES + header.length + (options.dataBytes ?? 32), 'x.safetensors');
}

function prefix(length: bigint): Uint8Array {
  const bytes = new Uint8Array(PREFIX_BYTES);
  new DataView(bytes.buffer).setBigUint64(0, length, true);
  return bytes;
}

describe('parseHeader', () => {
  test('gives tensors in file order with offsets from the start of the file', () => {
    const start = PREFIX_BYTES + JSON.stringify({ b: B, a: A, __metadata__: { format: 'pt' } }).length;
    expect(parse({ b: B, a: A, __metadata__: { format: 'pt' } })).toEqual([
      { name: 'a', dtype: 'F32', shape: [2, 3], begin: start, end: start + 24 },
      { name: 'b', dtype: 'BF16', shape: [4], begin: start + 24, end: start + 32 },
    ]);
  });

  test.each<[string, unknown, RegExp]>([
    ['an overlap', { a: A, b: { ...B, data_offsets: [20, 28] } }, /where the tensor before it ends for "b"/],
    ['a gap', { a: A, b: { ...B, data_offsets: [25, 33] } }, /where the tensor before it ends for "b"/],
    ['a gap at the start', { b: B }, /where the tensor before it ends for "b"/],
    ['data beyond the file', { a: A, b: { ...B, shape: [40], data_offsets: [24, 104] } }, /within the file/],
    ['bytes that no tensor owns', { a: A }, /a file of/],
    ['a size that does not fit the shape', { a: { ...A, shape: [2, 4] }, b: B }, /data_offsets 32 bytes apart.*for "a"/],
    ['offsets in the wrong order', { a: { ...A, data_offsets: [24, 0] }, b: B }, /24 bytes apart.*for "a"/],
    ['a shape whose product overflows', { a: { ...A, shape: [2 ** 40, 2 ** 40] }, b: B }, /bytes apart/],
    ['a negative dimension', { a: { ...A, shape: [-2, 3] }, b: B }, /shape/],
    ['a fractional offset', { a: { ...A, data_offsets: [0, 24.5] }, b: B }, /data_offsets/],
    ['an unknown dtype', { a: { ...A, dtype: 'Q4' }, b: B }, /Q4/],
    ['a dtype of the prototype chain', { a: { ...A, dtype: 'toString' }, b: B }, /toString/],
    ['an unknown key', { a: { ...A, stride: 1 }, b: B }, /"a" in x.safetensors/],
    ['metadata that is no text', { a: A, b: B, __metadata__: { n: 1 } }, /__metadata__/],
    ['no object', [A, B], /'\{'/],
  ])('rejects %s', (_, json, message) => {
    expect(() => parse(json)).toThrow(expect.objectContaining({ code: 'INVALID_FILE', message: expect.stringMatching(message) }));
  });

  test('rejects a name given twice, however it is written', () => {
    const text = `{"a":${JSON.stringify(A)},"\\u0061":${JSON.stringify(A)},"b":${JSON.stringify(B)}}`;
    expect(() => parse(null, { text })).toThrow(/distinct tensor names.*"a"/);
    // Equal keys in different objects are not duplicates.
    expect(parse({ dtype: A, shape: B })).toHaveLength(2);
  });

  test('takes strange names as they are', () => {
    const names = ['__proto__', 'a":{', '\\', 'ü{}[]:', ''];
    const text = `{${names.map((n, i) => `${JSON.stringify(n)}:${JSON.stringify({ dtype: 'U8', shape: [1], data_offsets: [i, i + 1] })}`).join(',')}}`;
    expect(parse(null, { text, dataBytes: names.length }).map((e) => e.name)).toEqual(names);
  });

  test('any change to a good header gives tensors within the file or a typed error', () => {
    const good = JSON.stringify({ a: A, b: B, __metadata__: { format: 'pt' } });
    const edit = fc.tuple(fc.nat(good.length), fc.nat(4), fc.string({ maxLength: 4 }));
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), fc.nat(64), (edits, dataBytes) => {
        const text = edits.reduce((t, [at, remove, insert]) => t.slice(0, at) + insert + t.slice(at + remove), good);
        expectTensorsOrTypedError(new TextEncoder().encode(text), dataBytes);
      }),
      { numRuns: 500 },
    );
  });

  test('any bytes give tensors within the file or a typed error', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(64), expectTensorsOrTypedError), { numRuns: 300 });
  });
});

function expectTensorsOrTypedError(header: Uint8Array, dataBytes: number): void {
  const fileBytes = PREFIX_BYTES + header.length + dataBytes;
  try {
    for (const entry of parseHeader(header, fileBytes, 'x.safetensors')) {
      expect(entry.begin).toBeGreaterThanOrEqual(PREFIX_BYTES + header.length);
      expect(entry.end).toBeLessThanOrEqual(fileBytes);
    }
  } catch (error) {
    expect(error).toBeInstanceOf(MoaError);
    expect((error as MoaError).message).toContain('x.safetensors');
  }
}

test('refuses a header of more tensors than any model has', () => {
  const text = `{${Array.from({ length: 200_001 }, (_, i) => `"t${i}":0`).join(',')}}`;
  expect(() => parse(null, { text, dataBytes: 0 })).toThrow(
    expect.objectContaining({ code: 'INVALID_FILE', message: expect.stringMatching(/at most 200000 tensors .* received 200001/) }),
  );
});

describe('headerLength', () => {
  test('is the little-endian length when the file can hold it', () => {
    expect(headerLength(prefix(24n), 32, 'x')).toBe(24);
  });

  test.each([
    ['longer than the file', prefix(25n), 32, '25'],
    ['longer than the format allows', prefix(BigInt(MAX_HEADER_BYTES) + 1n), 2 ** 40, `${MAX_HEADER_BYTES + 1}`],
    ['of 64 bits', prefix(2n ** 64n - 1n), 2 ** 40, '18446744073709551615'],
    ['cut off', new Uint8Array(3), 3, '3'],
  ])('rejects a length %s, and says which', (_, bytes, fileBytes, received) => {
    const message = expect.stringMatching(new RegExp(`but received ${received}$`));
    expect(() => headerLength(bytes, fileBytes, 'x')).toThrow(expect.objectContaining({ code: 'INVALID_FILE', message }));
  });
});
