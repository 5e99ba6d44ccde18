import { describe, expect, test } from 'vitest';
import type { Environment } from '../../../src/records/environment.ts';
import type { RunRecord } from '../../../src/records/record.ts';
import { compareRuns } from '../../../src/summary/compare/compare.ts';
import { syntheticEnvironment } from '../../report/synthetic-run.ts';
import { editing, sideInput } from './two-runs.ts';

const CUDA = {
  name: 'cuda',
  description: 'cuda: NVIDIA H100 80GB HBM3 (device 0, sm_90, 132 SMs, 81079 MiB), CUDA 13.0, driver 13.0, cuBLASLt 13.1.0',
  details: { timer: 'cuda events' },
};

function on(environment: Partial<Environment>) {
  return editing('stretch', (stretch) => ({ ...stretch, environment: { ...syntheticEnvironment, ...environment } }));
}

/** Why the times of two runs are not judged; none where they are. */
function reasons(base: Partial<Environment>, head: (record: RunRecord) => RunRecord | null): string[] {
  const { timings } = compareRuns({ base: sideInput('main', { edit: on(base) }), head: sideInput('head', { edit: head }) });
  return [...new Set(timings.flatMap((row) => (row.verdict === 'not-comparable' ? [row.reason] : [])))];
}

const { cpu, backend } = syntheticEnvironment;

describe('times are judged', () => {
  test.each<[string, Partial<Environment>, Partial<Environment>]>([
    ['on the same machine', {}, {}],
    ['of another commit, load and day', {}, { git: null, time: '2026-01-01T00:00:00.000Z', cpu: { ...cpu, loadAverage: [0, 0, 0] } }],
    [
      'on another of several equal GPUs, with other libraries',
      { backend: CUDA },
      { backend: { ...CUDA, description: CUDA.description.replace('device 0', 'device 3').replace('13.1.0', '13.2.0') } },
    ],
    [
      'on a GPU that says a little more memory',
      { backend: CUDA },
      { backend: { ...CUDA, description: CUDA.description.replace('81079', '81559') } },
    ],
  ])('%s', (_, base, head) => {
    expect(reasons(base, on(head))).toEqual([]);
  });
});

describe('times are shown and not judged', () => {
  test.each<[string, Partial<Environment>, Partial<Environment>, string]>([
    [
      'another GPU',
      { backend: CUDA },
      { backend: { ...CUDA, description: CUDA.description.replace('H100 80GB HBM3', 'H200') } },
      'another device: NVIDIA H100 80GB HBM3, sm_90, 132 SMs and NVIDIA H200, sm_90, 132 SMs',
    ],
    [
      'another driver',
      { backend: CUDA },
      { backend: { ...CUDA, description: CUDA.description.replace('driver 13.0', 'driver 12.8') } },
      'another driver: 13.0 and 12.8',
    ],
    ['another processor', {}, { cpu: { ...cpu, model: 'Other' } }, 'another processor: Synthetic CPU and Other'],
    ['fewer cores', {}, { cpu: { ...cpu, usableCores: 1 } }, 'another usable cores: 2 and 1'],
    ['other threads', {}, { variables: { OMP_NUM_THREADS: '1' } }, 'another OMP_NUM_THREADS: 2 and 1'],
    ['another clock', {}, { backend: { ...backend, details: { timer: 'wall clock' } } }, 'another timer: unknown and wall clock'],
    [
      'other instructions',
      {},
      { backend: { ...backend, description: 'cpu: 2 threads, AVX2' } },
      'another backend: synthetic, 2 threads and cpu: 2 threads, AVX2',
    ],
  ])('%s', (_, base, head, reason) => {
    expect(reasons(base, on(head))).toEqual([reason]);
  });

  test('a run that was timed on two machines', () => {
    const second: RunRecord = {
      kind: 'stretch',
      time: '2026-01-01T00:00:00.000Z',
      id: 'second',
      environment: { ...syntheticEnvironment, cpu: { ...cpu, model: 'Other' } },
    };
    const head = sideInput('head', { edit: editing('measurement', (m) => (m.process === 2 ? { ...m, stretch: 'second' } : m)) });
    const { timings } = compareRuns({ base: sideInput('main'), head: { ...head, records: [second, ...head.records] } });
    expect(new Set(timings.map((row) => row.reason))).toEqual(new Set(['one run was timed on several machines']));
  });

  test('records of version 1, which do not say where they were timed', () => {
    const unknown = (record: RunRecord): RunRecord | null =>
      'stretch' in record && record.kind !== 'stretchEnd' ? { ...record, stretch: 'unknown' } : record;
    expect(reasons({}, unknown)).toEqual(['the machine that timed is not on record']);
  });
});
