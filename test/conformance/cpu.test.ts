// The conformance list on the native cpu backend against the TF.js reference; each test's name reproduces its case.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { missingTraits } from '../../src/conformance/case.ts';
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

/** What the cpu backend says it has; known before it is made. */
const TRAITS = { halfActivations: false, graphs: true, timer: 'stream thread clock' } as const;

describe('cpu against tfjs', () => {
  test('has the traits that choose the cases', () => {
    expect(backend.traits).toEqual(TRAITS);
  });

  test.each(
    CONFORMANCE_CASES.filter((testCase) => missingTraits(testCase, TRAITS).length === 0).map(
      (testCase) => [reproOf(testCase), testCase] as const,
    ),
  )('%s', async (_, testCase) => {
    const { status, maxError, tolerance, detail } = await runCase(testCase, { backend, reference });
    expect(status, `${detail}; error ${maxError} over ${tolerance.relative}`).toBe('pass');
  });
});
