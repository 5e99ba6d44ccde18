import { afterAll, beforeAll } from 'vitest';
import type { Backend } from '../../src/native/backend.ts';
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
