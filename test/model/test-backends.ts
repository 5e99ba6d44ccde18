import { afterAll, beforeAll } from 'vitest';
import type { Backend, Ops } from '../../src/native/backend.ts';
import { createCpuBackend } from '../../src/native/cpu.ts';
import { createTfjsBackend } from '../../src/reference/tfjs-backend.ts';

/** A cpu backend for a test file, disposed at its end. One thread: files run beside each other. */
export function cpuBackend(): Backend {
  const backend = createCpuBackend({ threads: 1 });
  afterAll(() => backend.dispose());
  return backend;
}

/** The tfjs reference for a test file. Loading TensorFlow.js takes seconds on a busy machine, so it is a hook and no part of a test. */
export function tfjsBackend(): () => Backend {
  let backend: Backend | undefined;
  beforeAll(async () => {
    backend = await createTfjsBackend();
  });
  afterAll(() => backend?.dispose());
  return () => {
    if (backend === undefined) throw new Error('tfjs is made before all tests');
    return backend;
  };
}

/** The backend with other members in the place of some; tensors and caches stay its own. */
export function overlay(backend: Backend, members: Partial<Backend>): Backend {
  return intercepted(backend, (key, value) => (Object.hasOwn(members, key) ? Reflect.get(members, key) : value));
}

/** The backend, calling `onOp` before every op that is not replayed. */
export function observed(backend: Backend, onOp: (name: keyof Ops, params: unknown) => void): Backend {
  return intercepted(backend, (key, value) => {
    if (typeof value !== 'function' || !OP_NAMES.has(key as keyof Ops)) return value;
    return (params: unknown) => {
      onOp(key as keyof Ops, params);
      value(params);
    };
  });
}

/** An object whose members are what `member` makes of the backend's, methods bound to it. */
export function intercepted(backend: Backend, member: (key: PropertyKey, value: unknown) => unknown): Backend {
  // Not a proxy of the backend itself: that could not give other values for native, read-only properties.
  return new Proxy({} as Backend, {
    get(_, key) {
      const value: unknown = Reflect.get(backend, key);
      return member(key, typeof value === 'function' ? value.bind(backend) : value);
    },
  });
}

const OP_NAMES: ReadonlySet<keyof Ops> = new Set([
  'gemm',
  'embedding',
  'rmsNorm',
  'rmsNormBackward',
  'rope',
  'siluMul',
  'siluMulBackward',
  'add',
  'fill',
  'fillUniform',
  'gatherRows',
  'scatterRows',
  'attentionPrefill',
  'cacheAppend',
  'decodeAppend',
  'attentionDecode',
  'cacheAdvance',
  'argmax',
  'logSoftmax',
  'crossEntropy',
  'attentionBackward',
  'influence',
] as const);
