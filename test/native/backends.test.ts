import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';

afterEach(() => {
  vi.unstubAllEnvs();
  vi.resetModules();
});

const load = () => import('../../src/native/backends.ts');

describe('listBackends', () => {
  test('describes cpu and says why cuda is missing', async () => {
    vi.stubEnv('MOABENCH_THREADS', '3');
    vi.stubEnv('MOABENCH_CUDA_LIBRARY', '/nowhere/libmoabench_cuda.so');
    const { listBackends } = await load();
    expect(listBackends()).toEqual([
      { name: 'cpu', available: true, description: expect.stringMatching(/^cpu: 3 threads, [^,]+$/) },
      {
        name: 'cuda',
        available: false,
        reason: 'Expected the CUDA library at /nowhere/libmoabench_cuda.so but it has not been built',
        hint: expect.stringContaining('`moabench build`'),
      },
    ]);
  });

  test.each([
    { what: 'a missing addon', content: undefined, reason: /addon\.node for .+ but it has not been built$/ },
    { what: 'a broken addon', content: 'not a library', reason: /addon\.node for .+ but it cannot be loaded: / },
  ])('says of $what what it is and what to do', async ({ content, reason }) => {
    const path = join(mkdtempSync(join(tmpdir(), 'moabench-')), 'addon.node');
    if (content !== undefined) writeFileSync(path, content);
    vi.stubEnv('MOABENCH_ADDON', path);
    const { listBackends } = await load();
    expect(listBackends()[0]).toEqual({
      name: 'cpu',
      available: false,
      reason: expect.stringMatching(reason),
      hint: expect.stringContaining('`moabench build`'),
    });
  });
});

describe('createBackend', () => {
  test('makes the backend that was asked for, and no other', async () => {
    const { createBackend } = await load();
    const backend = await createBackend({ name: 'cpu', threads: 1 });
    expect(backend).toMatchObject({ name: 'cpu', description: expect.stringContaining('1 thread,') });
    await backend.dispose();
    vi.stubEnv('MOABENCH_CUDA_LIBRARY', '/nowhere/libmoabench_cuda.so');
    await expect(createBackend({ name: 'cuda' })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(createBackend({ name: 'tfjs' })).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    await expect(createBackend({ name: 'cpu', threads: 0 })).rejects.toMatchObject({
      message: 'Expected an integer from 1 to 1024 for createCpuBackend.threads but received 0',
    });
  });

  test('refuses a MOABENCH_THREADS that is no count', async () => {
    vi.stubEnv('MOABENCH_THREADS', 'many');
    const { createBackend } = await load();
    await expect(createBackend({ name: 'cpu' })).rejects.toMatchObject({
      message: 'Expected an integer from 1 to 1024 for MOABENCH_THREADS but received "many"',
    });
  });
});
