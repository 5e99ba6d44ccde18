import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ConformanceCase } from '../../src/conformance/case.ts';
import { CONFORMANCE_CASES } from '../../src/conformance/cases/all-cases.ts';
import { firstOfEachOp, reproOf, runConformance } from '../../src/conformance/run.ts';
import { Stage } from '../../src/conformance/stage.ts';
import { Rng } from '../../src/core/rng.ts';
import type { AttentionDecodeParams, Backend, Ops, Tensor } from '../../src/native/backend.ts';
import { createTfjsBackend } from '../../src/reference/tfjs-backend.ts';

const OPS = [
  ...['gemm', 'embedding', 'rmsNorm', 'rmsNormBackward', 'rope', 'siluMul', 'siluMulBackward', 'add', 'fill'],
  ...['fillUniform', 'gatherRows', 'scatterRows'],
  ...['attentionPrefill', 'cacheAppend', 'decodeAppend', 'attentionDecode', 'cacheAdvance', 'argmax', 'logSoftmax', 'crossEntropy'],
  ...['attentionBackward', 'influence'],
] as const satisfies readonly (keyof Ops)[];

let reference: Backend;
beforeAll(async () => {
  reference = await createTfjsBackend();
});
afterAll(() => reference.dispose());

/** The cases of one op whose name contains the text. */
function only(op: string, text = ''): (testCase: ConformanceCase) => boolean {
  return (testCase) => testCase.op === op && testCase.name.includes(text);
}

/** The reference with one op replaced. */
function sabotaged(ops: Partial<Ops>): Backend {
  return { ...reference, ...ops };
}

describe('the list', () => {
  test('names every case once and covers every op', () => {
    const names = CONFORMANCE_CASES.map(reproOf);
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
    expect(OPS.filter((op) => !CONFORMANCE_CASES.some((testCase) => testCase.op === op && testCase.rejects === undefined))).toEqual([]);
  });
});

test('a quick look is the first cases of each op', () => {
  const quick = CONFORMANCE_CASES.filter(firstOfEachOp(2));
  const ops = [...new Set(CONFORMANCE_CASES.map(({ op }) => op))];
  const firstTwo = ops.flatMap((op) => CONFORMANCE_CASES.filter(only(op)).slice(0, 2));
  expect(quick.map(reproOf).sort()).toEqual(firstTwo.map(reproOf).sort());
});

/** Half activations and graphs: what few backends have, so that the reference alone must show that the cases can be run. */
describe('cases with requirements', () => {
  /** A NaN that is given, or an id outside the table: outputs may hold it. Any other NaN is poison that no op wrote over. */
  const HAS_NAN = /nan(Row|From)?=|=NaN|ids=.*-1/;
  const required = CONFORMANCE_CASES.filter((testCase) => testCase.requires !== undefined && testCase.rejects === undefined);

  test.each(required.map((testCase) => [reproOf(testCase), testCase] as const))('%s runs on the reference', async (repro, testCase) => {
    const stage = new Stage(reference, new Rng(repro));
    const outputs = Object.entries(await testCase.run(stage));
    expect(outputs).not.toEqual([]);
    for (const [name, output] of outputs) {
      const values = ArrayBuffer.isView(output) ? output : await (output as Tensor).read();
      if (!HAS_NAN.test(repro))
        expect(
          values.some((x: number) => Number.isNaN(x)),
          name,
        ).toBe(name === 'recording');
    }
    stage.dispose();
  });
});

describe('runConformance', () => {
  test('leaves out and counts the cases that the backend has no means for', async () => {
    const plain = sabotaged({});
    const backend: Backend = { ...plain, name: 'cpu', traits: { ...plain.traits, halfActivations: false } };
    const report = await runConformance({ backend, reference, filter: ({ op }) => op === 'add' || op === 'graph' });
    expect(report.failed).toBe(0);
    expect(report.cases.map(({ op }) => op)).toEqual(['add', 'add', 'add']);
    expect([...new Set(report.skipped.map(({ reason }) => reason))]).toEqual([
      'cpu has no 16-bit activations',
      'cpu has no graphs and no 16-bit activations',
      'cpu has no graphs',
    ]);
    expect(report.skipped.length + report.cases.length).toBe(CONFORMANCE_CASES.filter(({ op }) => op === 'add' || op === 'graph').length);
  });

  test('with repeat, an op whose second run gives other bits fails', async () => {
    let calls = 0;
    const siluMul: Ops['siluMul'] = (params) => {
      reference.siluMul(params);
      // Far within the tolerance: only equality of bits can see it.
      if (calls++ % 2 === 1) reference.add({ x: params.out, y: constant(params.out.shape, 1e-7) });
    };
    const options = { backend: sabotaged({ siluMul }), reference, filter: only('siluMul', 'tokens=67 width=129') };
    const [once, twice] = [await runConformance(options), await runConformance({ ...options, repeat: true })];
    expect(once.failed).toBe(0);
    expect(twice.cases[0]).toMatchObject({ status: 'fail', detail: expect.stringMatching(/^run again, out \[\d+\] .* after /) });
    const steady = await runConformance({ backend: reference, reference, filter: only('siluMul'), repeat: true });
    expect(steady.failed).toBe(0);
  });

  test('passes the reference against itself and reports each case', async () => {
    const seen: string[] = [];
    const report = await runConformance({
      backend: reference,
      reference,
      filter: only('argmax'),
      onCase: (found, done, total) => seen.push(`${done}/${total} ${found.status}`),
    });
    const count = CONFORMANCE_CASES.filter(only('argmax')).length;
    expect(report).toMatchObject({ passed: count, failed: 0, backend: reference.description });
    expect(seen).toEqual(Array.from({ length: count }, (_, i) => `${i + 1}/${count} pass`));
    expect(report.cases[0]).toMatchObject({ op: 'argmax', repro: 'argmax rows=1 vocabulary=1', maxError: 0 });
  });

  test('an op that does nothing fails on its poisoned output', async () => {
    const report = await runConformance({ backend: sabotaged({ gemm: () => undefined }), reference, filter: only('gemm', 'm=3 ') });
    expect(report.failed).toBe(report.cases.length);
    expect(report.cases[0]?.detail).toMatch(/^out \[0\] NaN instead of/);
  });

  test('an error of 1e-4 in one element fails', async () => {
    const siluMul: Ops['siluMul'] = (params) => {
      reference.siluMul(params);
      const last = params.out.rows((params.out.shape[0] as number) - 1, 1);
      reference.add({ x: last, y: constant(last.shape, 1e-3) });
    };
    const report = await runConformance({ backend: sabotaged({ siluMul }), reference, filter: only('siluMul', 'tokens=67 width=129') });
    expect(report.cases[0]?.status).toBe('fail');
  });

  test('a decode that sees one sequence as another fails', async () => {
    const attentionDecode = (params: AttentionDecodeParams): void =>
      reference.attentionDecode({ ...params, sequences: params.sequences.slice().reverse() });
    const report = await runConformance({
      backend: sabotaged({ attentionDecode }),
      reference,
      filter: only('attentionDecode', 'heads=4 kvHeads=4 headDim=32'),
    });
    expect(report.cases.map((found) => found.status)).toEqual(report.cases.map(() => 'fail'));
  });

  test('accepting misuse fails', async () => {
    const report = await runConformance({
      backend: sabotaged({ scatterRows: () => undefined }),
      reference,
      filter: only('scatterRows', 'refuses'),
    });
    expect(report.cases).toMatchObject([{ status: 'fail', detail: 'backend accepted what should be INVALID_ARGUMENT' }]);
  });

  test('an op that throws fails the case, not the run', async () => {
    const gemm = (): void => {
      throw new Error('no such kernel');
    };
    const report = await runConformance({ backend: sabotaged({ gemm }), reference, filter: only('gemm', 'm=3 ') });
    expect(report.cases[0]).toMatchObject({ status: 'fail', detail: 'threw no such kernel' });
  });

  test('stops with ABORTED between cases', async () => {
    const signal = AbortSignal.abort();
    await expect(runConformance({ backend: reference, reference, signal })).rejects.toMatchObject({ code: 'ABORTED' });
  });

  test('frees what it makes', async () => {
    const before = reference.memory();
    await runConformance({ backend: reference, reference, filter: only('attentionDecode', 'headDim=8') });
    expect({ ...reference.memory(), peakBytes: 0 }).toEqual({ ...before, peakBytes: 0 });
  });
});

function constant(shape: readonly number[], value: number): Tensor {
  const tensor = reference.tensor('f32', shape);
  reference.fill({ out: tensor, value });
  return tensor;
}
