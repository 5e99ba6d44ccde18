// The conformance list on the native cpu backend against the TF.js reference; each test's name reproduces its case.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CONFORMANCE_CASES } from '../../src/conformance/cases/all-cases.ts';
import { reproOf, runCase } from '../../src/conformance/run.ts';
import type { Backend } from '../../src/native/backend.ts';
import { createCpuBackend } from '../../src/native/cpu.ts';
import { createTfjsBackend } from '../../src/reference/tfjs-backend.ts';

let backend: Backend;
let reference: Backend;
beforeAll(async () => {
  backend = createCpuBackend();
  reference = await createTfjsBackend();
});
afterAll(() => Promise.all([backend.dispose(), reference.dispose()]));

describe('cpu against tfjs', () => {
  test.each(CONFORMANCE_CASES.map((testCase) => [reproOf(testCase), testCase] as const))('%s', async (_, testCase) => {
    const { status, maxError, tolerance, detail } = await runCase(testCase, { backend, reference });
    expect(status, `${detail}; error ${maxError} over ${tolerance.relative}`).toBe('pass');
  });
});
