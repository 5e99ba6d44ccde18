import type { DType, FloatDType } from '../../native/backend.ts';
import { type ConformanceCase, caseName, EXACT, type OpName } from '../case.ts';
import type { Stage } from '../stage.ts';

type Run = ConformanceCase['run'];

/** A case about tensors or memory: everything in it has one right answer. */
function exact(op: OpName, name: string, run: Run): ConformanceCase {
  return { op, name, tolerance: EXACT, run };
}

/** Values that rounding treats differently: ties, subnormals, overflow, signed zero, infinities, NaN, and all magnitudes between. */
function awkward(stage: Stage, count: number): Float32Array {
  const fixed = [
    0,
    -0,
    1,
    -1,
    65504,
    65519.99,
    65520,
    -65536,
    2 ** -24,
    2 ** -25,
    2 ** -25 * 1.0001,
    3 * 2 ** -25,
    -(2 ** -14),
    2 ** -14 * 0.99999,
  ];
  const ties = [
    1 + 2 ** -8,
    1 + 3 * 2 ** -8,
    1 + 2 ** -9,
    1 + 2 ** -11,
    1 + 3 * 2 ** -11,
    1 + 2 ** -11 + 2 ** -20,
    3.4e38,
    -3.4e38,
    1e-40,
    -1e-45,
  ];
  const special = [Infinity, -Infinity, Number.NaN];
  const random = Array.from({ length: count }, () => stage.rng.normal() * 2 ** stage.rng.int(-140, 127));
  const ordinary = Array.from({ length: count }, () => stage.rng.normal() * 2 ** stage.rng.int(-26, 17));
  return Float32Array.from([...fixed, ...ties, ...special, ...random, ...ordinary]);
}

function rounding(dtype: FloatDType): ConformanceCase {
  return exact('tensor', caseName({ write: 'f32', dtype }), (stage) => {
    const values = awkward(stage, 300);
    return { tensor: stage.of(values, [values.length], dtype) };
  });
}

/** Raw bytes of `from` written into `to`: every 16-bit pattern, or the bytes of awkward float32 values. */
function rawBytes(from: FloatDType, to: FloatDType): ConformanceCase {
  return exact('tensor', caseName({ raw: from, dtype: to }), (stage) => {
    const count = from === 'f32' ? 1000 : 65536;
    const bytes = new Uint8Array(from === 'f32' ? awkward(stage, count).buffer : Uint16Array.from({ length: count }, (_, i) => i).buffer);
    const elements = bytes.length / (from === 'f32' ? 4 : 2);
    const tensor = stage.poisoned([elements], to);
    tensor.write(bytes, from);
    return { tensor };
  });
}

const views: Run = (stage) => {
  const base = stage.normal([7, 12], { dtype: 'bf16' });
  const rows = base.rows(2, 4);
  const slice = base.columns(3, [2, 4]);
  const part = slice.rows(1, 3);
  part.write(stage.normals(3 * 8));
  return { base, rows, slice, part, again: rows.columns(5, [7]), reshaped: rows.reshape([2, 24]), flat: base.reshape([84]).rows(80, 4) };
};

const integers: Run = (stage) => {
  const tensor = stage.ints([0, -1, 2147483647, -2147483648]);
  const raw = stage.poisoned([2, 2], 'i32');
  raw.write(new Uint8Array(Int32Array.of(5, -6, 7, -2147483648).buffer));
  return { tensor, raw, view: raw.columns(1, [1]) };
};

const order: Run = async (stage) => {
  // A write enqueued after a read must not change what the read gives.
  const tensor = stage.normal([65]);
  const early = tensor.read();
  tensor.write(stage.normals(65));
  stage.backend.fill({ out: tensor.rows(3, 2), value: 4 });
  return { early: (await early) as Float32Array, tensor };
};

const account: Run = async (stage) => {
  const { backend } = stage;
  await backend.synchronize();
  backend.resetPeak();
  const before = backend.memory();
  const use = (): number[] => {
    const now = backend.memory();
    return [now.weightsBytes - before.weightsBytes, now.kvBytes - before.kvBytes, now.workspaceBytes - before.workspaceBytes];
  };
  const weights = backend.tensor('bf16', [64, 32], 'weights');
  const work = backend.tensor('f32', [16, 32]);
  const cache = backend.kvCache({
    policy: 'ring',
    sequences: 2,
    layers: 1,
    kvHeads: 2,
    headDim: 32,
    dtype: 'f16',
    sink: 64,
    capacities: Int32Array.of(128, 192, 128, 128),
  });
  const all = use();
  const peak = backend.memory().peakBytes - before.peakBytes;
  for (const item of [work, cache, weights, weights]) item.dispose();
  await backend.synchronize();
  return { all: Float64Array.from(all), peak: Float64Array.of(peak), after: Float64Array.from(use()) };
};

const limited: Run = async (stage) => {
  const { backend } = stage;
  await backend.synchronize();
  const { weightsBytes, kvBytes, workspaceBytes } = backend.memory();
  backend.setMemoryLimit(weightsBytes + kvBytes + workspaceBytes + 4096);
  try {
    stage.poisoned([512]);
    stage.poisoned([1024]);
  } finally {
    backend.setMemoryLimit(0);
  }
  return {};
};

const DTYPES: readonly DType[] = ['f32', 'f16', 'bf16', 'i32'];

export const STORAGE_CASES: readonly ConformanceCase[] = [
  rounding('f32'),
  rounding('f16'),
  rounding('bf16'),
  rawBytes('f16', 'f16'),
  rawBytes('bf16', 'bf16'),
  rawBytes('f16', 'f32'),
  rawBytes('bf16', 'f16'),
  rawBytes('f16', 'bf16'),
  rawBytes('f32', 'bf16'),
  exact('tensor', 'views share memory', views),
  exact('tensor', 'int32', integers),
  exact('tensor', 'reads and writes keep their order', order),
  exact('tensor', 'starts at zero', (stage) => Object.fromEntries(DTYPES.map((dtype) => [dtype, stage.fresh([3, 33], dtype)]))),
  exact('memory', 'account by kind, peak, and what dispose gives back', account),
  { ...exact('memory', 'limit of 4096 bytes', limited), rejects: 'OUT_OF_MEMORY' },
];
