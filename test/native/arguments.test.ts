import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MoaError } from '../../src/core/errors.ts';
import { loadAddon } from '../../src/native/addon.ts';
import type { Backend, KvCache, KvCacheSpec, Ops } from '../../src/native/backend.ts';
import { createCpuBackend } from '../../src/native/cpu.ts';

// Whatever JavaScript passes to the native code, it throws a MoaError or does what it says; it never crashes.

const [T, H, HKV, D, C, V] = [6, 2, 1, 8, 16, 10];
const SPEC: KvCacheSpec = {
  policy: 'full',
  sequences: 2,
  layers: 2,
  kvHeads: HKV,
  headDim: D,
  dtype: 'f16',
  sink: 64,
  capacities: new Int32Array(4).fill(128),
};
type Params = Record<string, unknown>;

let backend: Backend;
let other: Backend;
let valid: Record<keyof Ops, () => Params>;
let junk: fc.Arbitrary<unknown>;

beforeAll(() => {
  backend = createCpuBackend({ threads: 1 });
  other = createCpuBackend({ threads: 1 });
  valid = validParams(backend);
  junk = junkValues(backend, other);
});
afterAll(() => Promise.all([backend.dispose(), other.dispose()]));

/** For every op, a maker of params that are accepted. */
function validParams(b: Backend): Record<keyof Ops, () => Params> {
  const f32 = (...shape: number[]) => b.tensor('f32', shape);
  const i32 = (...shape: number[]) => b.tensor('i32', shape);
  const segments = Int32Array.of(0, 4, 0, 0, 4, 2, 0, 1);
  const qkv = () => ({ q: f32(T, H, D), k: f32(T, HKV, D), v: f32(T, HKV, D), segments, scale: 0.3 });
  const attended = () => ({ ...qkv(), out: f32(T, H, D), logSumExp: f32(T, H), gradOut: f32(T, H, D) });
  const decoding = () => ({ cache: b.kvCache(SPEC), layer: 1, sequences: Int32Array.of(1, 0), q: f32(2, H, D), scale: 1 });
  const frequencies = () => ({ inverseFrequencies: f32(D / 2) });
  return {
    gemm: () => ({ a: f32(T, C), b: b.tensor('bf16', [V, C]), out: f32(T, V), transposeB: true, bias: f32(V), accumulate: true }),
    embedding: () => ({ ids: i32(T), table: b.tensor('f16', [V, C]), out: f32(T, C) }),
    rmsNorm: () => ({ x: f32(T, C), weight: f32(C), out: f32(T, C), epsilon: 1e-5, residual: f32(T, C) }),
    rmsNormBackward: () => ({ x: f32(T, C), weight: f32(C), gradOut: f32(T, C), gradX: f32(T, C), epsilon: 1e-5, accumulate: false }),
    rope: () => ({ q: f32(T, H, D), k: f32(T, HKV, D), segments, ...frequencies(), scale: 1, inverse: true }),
    siluMul: () => ({ gateUp: f32(T, 2 * C), out: f32(T, C) }),
    siluMulBackward: () => ({ gateUp: f32(T, 2 * C), gradOut: f32(T, C), gradGateUp: f32(T, 2 * C) }),
    add: () => ({ x: f32(T, C), y: f32(T, C) }),
    copy: () => ({ x: f32(T, C), out: f32(T, C) }),
    fill: () => ({ out: b.tensor('bf16', [T, C]), value: -0.5 }),
    fillUniform: () => ({ out: b.tensor('f16', [T, C]), seed: 2 ** 53 - 1, deviation: 2 }),
    gatherRows: () => ({ x: f32(V, C), out: f32(3, C), rows: Int32Array.of(9, 0, 0) }),
    scatterRows: () => ({ x: f32(3, C), out: f32(V, C), rows: Int32Array.of(9, 0, 4) }),
    attentionPrefill: () => ({ ...qkv(), out: f32(T, H, D), logSumExp: f32(T, H), cache: b.kvCache(SPEC), layer: 0 }),
    cacheAppend: () => ({ cache: b.kvCache(SPEC), layer: 0, k: f32(T, HKV, D), v: f32(T, HKV, D), segments }),
    decodeAppend: () => ({ ...decoding(), k: f32(2, HKV, D), v: f32(2, HKV, D), ...frequencies() }),
    attentionDecode: () => ({ ...decoding(), out: f32(2, H, D) }),
    cacheAdvance: () => ({ cache: b.kvCache(SPEC), sequences: Int32Array.of(1, 0), counts: Int32Array.of(7, 0) }),
    argmax: () => ({ logits: f32(T, V), out: i32(T) }),
    logSoftmax: () => ({ logits: f32(T, V), out: f32(T, V) }),
    crossEntropy: () => ({ logits: f32(T, V), targets: i32(T), losses: f32(T), gradLogits: f32(T, V), gradScale: 2 }),
    attentionBackward: () => ({ ...attended(), gradQ: f32(T, H, D), gradK: f32(T, HKV, D), gradV: f32(T, HKV, D) }),
    influence: () => ({
      ...attended(),
      sink: 64,
      epsilon: 0.01,
      elementwise: f32(HKV, 1),
      elementwiseSink: f32(HKV, 1),
      joint: f32(HKV, 1),
    }),
  };
}

/** Values of every JavaScript type, and tensors and caches that are nearly right, dead, or another backend's. */
function junkValues(b: Backend, stranger: Backend): fc.Arbitrary<unknown> {
  const dead = b.tensor('f32', [T, C]);
  dead.dispose();
  const deadCache = b.kvCache(SPEC);
  deadCache.dispose();
  const detached = new Int32Array(8);
  structuredClone(detached.buffer, { transfer: [detached.buffer] });
  const wide = b.tensor('f32', [T, 4 * C]);
  const forged = Object.create(Object.getPrototypeOf(wide) as object) as unknown;
  const disguised = Object.setPrototypeOf(b.kvCache(SPEC), Object.getPrototypeOf(wide) as object) as unknown;
  const tensors = [
    dead,
    forged,
    disguised,
    wide,
    wide.columns(1, [C]),
    wide.columns(3, [2, D]),
    wide.columns(0, [1, D]),
    wide.rows(2, 3),
    b.tensor('i32', [T]),
    b.tensor('f16', [T, C]),
    b.tensor('f32', [2, 2, 2, 2]),
    stranger.tensor('f32', [T, C]),
  ];
  const caches = [deadCache, stranger.kvCache(SPEC), b.kvCache({ ...SPEC, headDim: 16 }), b];
  const arrays = fc.oneof(
    fc.int32Array({ maxLength: 9 }),
    fc.int32Array({ min: -1, max: 6, maxLength: 9 }),
    fc.constantFrom<unknown>(
      detached,
      new Int32Array(new SharedArrayBuffer(16)),
      new Float64Array(3),
      new BigInt64Array(2),
      new DataView(new ArrayBuffer(8)),
    ),
  );
  const odd = fc.constantFrom<unknown>(undefined, null, Symbol('x'), 3n, () => 0, {}, [], new Date(), new Proxy({}, {}), new Error('x'));
  const numbers = fc.oneof(
    fc.double(),
    fc.integer(),
    fc.integer({ min: -2, max: 200 }),
    fc.constantFrom(-0, 2 ** 31, -(2 ** 31), 2 ** 53, 1e300),
  );
  return fc.oneof(odd, numbers, fc.boolean(), fc.string({ maxLength: 300 }), arrays, fc.constantFrom<unknown>(...tensors, ...caches));
}

/** Runs f; a throw must be a MoaError with a code that arguments can cause. */
function expectOnlyMoaErrors(f: () => unknown): void {
  try {
    f();
  } catch (error) {
    expect(error).toBeInstanceOf(MoaError);
    expect(['INVALID_ARGUMENT', 'UNSUPPORTED', 'OUT_OF_MEMORY']).toContain((error as MoaError).code);
    expect((error as MoaError).message).toMatch(/^Expected .+ for .+ but received .+/s);
  }
}

/** What was accepted may still fail on the stream (a decode without an append), but only so. */
async function drain(): Promise<void> {
  await backend.synchronize().catch((error: unknown) => expect(error).toBeInstanceOf(MoaError));
}

const OPS = Object.keys(validParams(neverBackend())) as (keyof Ops)[];

/** Only the keys are wanted: no maker is called. */
function neverBackend(): Backend {
  return undefined as unknown as Backend;
}

describe.each(OPS)('%s', (op) => {
  const call = (params: unknown): void => (backend[op] as (params: unknown) => void)(params);

  test('accepts its valid params', async () => {
    const params = valid[op]();
    call(params);
    if (op === 'attentionDecode') await expect(backend.synchronize()).rejects.toThrow('appended tokens');
    else await backend.synchronize();
  });

  test('names each missing or wrong field', () => {
    const params = valid[op]();
    for (const field of Object.keys(params)) {
      for (const value of [null, 'x', Symbol('s')]) {
        expect(() => call({ ...params, [field]: value })).toThrow(new RegExp(`for ${op}\\.${field} but received (null|"x"|a symbol)`));
      }
    }
  });

  test('ends normally or with a MoaError, whatever its params are', async () => {
    const field = fc.constantFrom(...Object.keys(valid[op]()));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(field, junk), { minLength: 1, maxLength: 3 }), async (changes) => {
        expectOnlyMoaErrors(() => call({ ...valid[op](), ...Object.fromEntries(changes) }));
        await drain();
      }),
      { numRuns: 40 },
    );
    fc.assert(
      fc.property(junk, (params) => expectOnlyMoaErrors(() => call(params))),
      { numRuns: 30 },
    );
  });
});

describe('other calls', () => {
  const anything = () => fc.array(junk, { maxLength: 4 });

  test('that make tensors, caches and backends end normally or with a MoaError, whatever they are given', () => {
    fc.assert(
      fc.property(anything(), fc.dictionary(fc.constantFrom(...Object.keys(SPEC)), junk), (args, spec) => {
        const b = backend as unknown as Record<string, (...args: unknown[]) => unknown>;
        for (const method of ['tensor', 'kvCache', 'resetPeak', 'memory']) expectOnlyMoaErrors(() => b[method]?.(...args));
        expectOnlyMoaErrors(() => b.tensor?.('f32', args, args[0]));
        expectOnlyMoaErrors(() => (backend.kvCache({ ...SPEC, ...spec } as KvCacheSpec) as KvCache).dispose());
        expectOnlyMoaErrors(() => loadAddon().createCpuBackend(args[0] as { threads: number }));
        expectOnlyMoaErrors(() => loadAddon().describeCpuBackend(args[0] as number));
      }),
      { numRuns: 150 },
    );
  });

  test('of tensors and caches end normally or with a MoaError, whatever they are given', async () => {
    await fc.assert(
      fc.asyncProperty(anything(), async (args) => {
        const cache = backend.kvCache(SPEC);
        for (const [target, methods] of [
          [backend.tensor('f32', [T, C]), ['rows', 'columns', 'reshape', 'write']],
          [cache, ['reset', 'residentBytesPerHead']],
        ] as const) {
          const object = target as unknown as Record<string, (...args: unknown[]) => unknown>;
          for (const method of methods) expectOnlyMoaErrors(() => object[method]?.(...args));
        }
        cache.dispose();
        await drain();
      }),
      { numRuns: 100 },
    );
  });

  test('constructors, foreign receivers and getters that throw or dispose', async () => {
    const tensor = backend.tensor('f32', [2, 2]);
    for (const object of [tensor, backend, backend.kvCache(SPEC)]) {
      expect(() => new (object.constructor as new () => unknown)()).toThrow(MoaError);
      expect(() => Reflect.apply(tensor.rows, backend.kvCache(SPEC), [0, 1])).toThrow(TypeError);
    }
    const thrown = new Error('mine');
    const throwing = { get out() { throw thrown; }, value: 1 }; // biome-ignore format: one line
    expect(() => backend.fill(throwing as never)).toThrow(thrown);
    const disposing = { out: tensor, get value() { tensor.dispose(); return 1; } }; // biome-ignore format: one line
    backend.fill(disposing);
    await backend.synchronize();
    expect(() => backend.fill({ out: tensor, value: 1 })).toThrow('Expected a live tensor for fill.out but received a disposed one');
  });
});
