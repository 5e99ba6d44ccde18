import { expect, test } from 'vitest';
import { parseModelConfig } from '../../src/model/format/config.ts';
import { PRESETS } from '../../src/model/format/presets.ts';
import { createBackend } from '../../src/native/backends.ts';
import { RecordLog } from '../../src/records/record-log.ts';
import { toDo } from '../../src/run/cell-states.ts';
import { workOf } from '../../src/run/cell-work.ts';
import { estimateRun, estimateTimes } from '../../src/run/estimate.ts';
import { expandCells } from '../../src/suite/cells.ts';
import { syntheticRecords, syntheticSuite } from '../report/synthetic-run.ts';

const suite = syntheticSuite({ samples: 4, methods: ['dense', 'uniform-25', 'moa-25'] });
const cells = expandCells(suite);
const config = parseModelConfig(PRESETS.tiny, 'tiny');

async function estimated(log: RecordLog) {
  const backend = await createBackend({ name: 'cpu', threads: 1 });
  const input = { suite, config, backend, cells, states: cells.map(toDo), log };
  try {
    return { ...(await estimateTimes(input)), whole: await estimateRun(input) };
  } finally {
    await backend.dispose();
  }
}

test('every open cell has its time, and the whole is their sum', async () => {
  const { seconds, whole } = await estimated(new RecordLog());
  expect([...seconds.keys()].toSorted()).toEqual(cells.map(({ id }) => id).toSorted());
  expect(seconds.get('plan/dense')).toBe(0);
  expect(seconds.get('plan/moa-25')).toBeGreaterThan(0);
  expect(whole.seconds).toBeGreaterThan(0.8 * [...seconds.values()].reduce((a, b) => a + b, 0));
});

test('cells that ran side by side have the time of all of them on record, which is counted once', async () => {
  const { seconds, basis } = await estimated(new RecordLog(syntheticRecords(suite)));
  expect(basis).toEqual([`Time of ${cells.length} cells: what they took when they last ran here.`]);
  expect(seconds.get('plan/moa-25')).toBe(0.25);
  for (const id of ['dense', 'uniform-25', 'moa-25']) expect(seconds.get(`retrieval/lines/2048/${id}`)).toBeCloseTo(0.25 / 3);
  // Three methods, the growing cache and the control.
  expect(seconds.get('decode/8192x4/dense+control')).toBeCloseTo(0.25 / 5);
});

test('timings are taken in every process, each as long as the suite asks for', () => {
  const at = (processes: number, segmentMs: number): ReturnType<typeof workOf> => {
    const cell = cells.find(({ kind }) => kind === 'decode');
    if (cell?.kind !== 'decode') throw new Error('Expected a decode cell');
    return workOf(
      { ...cell, segmentMs },
      { ...suite, efficiency: suite.efficiency && { ...suite.efficiency, processes } },
      { samplesDone: 0, first: false },
    );
  };
  expect(at(3, 1000).leastSeconds).toBe(3 * 10);
  expect(at(3, 200).leastSeconds).toBe(3 * 2);
  expect(at(3, 1000).promptTokens).toBe(3 * at(1, 1000).promptTokens);
});
