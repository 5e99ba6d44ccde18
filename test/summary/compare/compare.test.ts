import { describe, expect, test } from 'vitest';
import type { RunRecord } from '../../../src/records/record.ts';
import { compareRuns } from '../../../src/summary/compare/compare.ts';
import { comparisonSchema } from '../../../src/summary/compare/comparison.ts';
import { syntheticEnvironment } from '../../report/synthetic-run.ts';
import { editing, sideInput, smallSuite } from './two-runs.ts';

const base = sideInput('main');
const compareWith = (edit: (record: RunRecord) => RunRecord | null) => compareRuns({ base, head: sideInput('head', { edit }) });

describe('two equal runs', () => {
  const comparison = compareRuns({ base, head: sideInput('head') });

  test('are the same in everything, and the comparison fits its schema', () => {
    expect(comparison.verdict).toBe('same');
    expect(comparison.sentence).toBe('No regression: HEAD is as good as BASE in all 96 comparisons.');
    expect(comparisonSchema.parse(comparison)).toEqual(comparison);
    expect(comparison.flips).toEqual({ lost: [], gained: [], left: 0 });
  });

  test('are equal where every answer is the same, however few there are', () => {
    const retrieval = comparison.quality.find((row) => row.part === 'retrieval');
    expect(retrieval).toMatchObject({ verdict: 'same', samples: 80, identical: 80, paired: { lost: 0, gained: 0 } });
  });
});

describe('quality', () => {
  const wrong = (index: number) =>
    editing(
      'sample',
      (sample) =>
        sample.part === 'retrieval' && Number(sample.sampleId.split('/').at(-1)) < index
          ? { ...sample, score: 0, correct: false, output: '?' }
          : sample,
      'dense',
    );

  test('a loss on the same samples is a regression, with the samples that were lost', () => {
    const { verdict, quality, tasks, flips } = compareWith(wrong(8));
    expect(verdict).toBe('worse');
    const row = quality.find((one) => one.part === 'retrieval' && one.method === 'dense');
    expect(row).toMatchObject({ verdict: 'worse', samples: 80, paired: { test: 'mcnemar-mid-p', gained: 0, lost: flips.lost.length } });
    expect(row?.paired?.delta.estimate).toBeCloseTo(-flips.lost.length / 80, 12);
    expect(flips.lost[0]).toMatchObject({ method: 'dense', base: { score: 1 }, head: { score: 0, output: '?' } });
    // The other methods are as they were, and no test of theirs weakens this one.
    expect(row?.paired?.comparisons).toBe(1);
    expect(quality.filter((one) => one.verdict !== 'same').map((one) => `${one.part}/${one.method}`)).toEqual(['retrieval/dense']);
    expect(tasks.filter((one) => one.part === 'retrieval' && one.method === 'dense').every((one) => one.samples === 20)).toBe(true);
  });

  test('a gain is a gain', () => {
    const swapped = compareRuns({ base: sideInput('main', { edit: wrong(8) }), head: sideInput('head') });
    expect(swapped.quality.find((one) => one.part === 'retrieval' && one.method === 'dense')).toMatchObject({ verdict: 'better' });
    expect(swapped).toMatchObject({ verdict: 'better', flips: { lost: [] } });
  });

  test('a loss that is neither established nor ruled out is undecided, and is said with its size', () => {
    const { verdict, quality, notes } = compareWith(wrong(1));
    expect(verdict).toBe('undecided');
    expect(quality.find((one) => one.part === 'retrieval' && one.method === 'dense')).toMatchObject({
      verdict: 'undecided',
      reason: expect.stringMatching(/^a loss of up to \d+\.\d points is not ruled out$/),
    });
    expect(notes).toContain('More samples a task, in both runs, decide quality that is undecided.');
  });

  test('a margin as wide as the loss makes it the same', () => {
    const head = sideInput('head', { edit: wrong(1) });
    expect(compareRuns({ base, head, rules: { margin: 0.3, slower: 0.05 } }).verdict).toBe('same');
  });

  test('one task that collapses is a regression, though the mean over the tasks does not show it', () => {
    const collapse = editing(
      'sample',
      (sample) =>
        sample.part === 'longbench' && sample.task === 'summary' ? { ...sample, score: sample.score * 0.2, output: '?' } : sample,
      'dense',
    );
    const { verdict, tasks, quality } = compareWith(collapse);
    expect(tasks.find((one) => one.task === 'summary' && one.part === 'longbench' && one.method === 'dense')).toMatchObject({
      verdict: 'worse',
      reason: 'the task collapses',
    });
    expect(quality.find((one) => one.part === 'longbench' && one.method === 'dense')?.verdict).not.toBe('same');
    expect(verdict).toBe('worse');
  });

  test('a higher loss of the answers is worse, a lower one better', () => {
    const scale = (factor: number) => editing('loss', (loss) => ({ ...loss, sumLoss: loss.sumLoss * factor }), 'moa-50');
    const rowOf = (factor: number) =>
      compareWith(scale(factor)).quality.find((one) => one.part === 'perplexity' && one.method === 'moa-50');
    expect(rowOf(1.2)).toMatchObject({ verdict: 'worse', paired: { lost: 8, gained: 0 } });
    expect(rowOf(0.8)).toMatchObject({ verdict: 'better', paired: { lost: 0, gained: 8 } });
    expect(rowOf(1.01)).toMatchObject({ verdict: 'same', identical: 0 });
    // Rounding, as of another instruction set.
    expect(rowOf(1 + 1e-6)).toMatchObject({ verdict: 'same', identical: 8, reason: 'every loss is the same' });
  });

  test('samples are matched by what they are, never by name or order', () => {
    const renamed = compareRuns({
      base,
      head: sideInput('head', { edit: editing('sample', (sample) => ({ ...sample, sampleId: `other/${sample.sampleId}` })) }),
    });
    expect(renamed).toMatchObject({ verdict: 'same' });
    const others = compareWith(
      editing('sample', (sample) => ({ ...sample, content: sample.content.replaceAll(/\d/g, '0').replaceAll(/[a-f]/g, '1') })),
    );
    expect(others.quality.find((one) => one.part === 'retrieval')).toMatchObject({
      verdict: 'not-comparable',
      samples: 0,
      reason: 'no sample is in both runs',
    });
  });

  test('records of version 1, whose samples are not known, are not compared', () => {
    const unknown = editing('sample', (sample) => ({ ...sample, content: '00000000' }));
    const { quality } = compareRuns({ base: sideInput('main', { edit: unknown }), head: sideInput('head', { edit: unknown }) });
    expect(quality.filter((one) => one.part !== 'perplexity').every((one) => one.verdict === 'not-comparable')).toBe(true);
  });
});

describe('speed', () => {
  const slower = (factor: number) =>
    editing(
      'measurement',
      (m) => (m.measure === 'decode' && m.batch === 4 ? { ...m, samplesMs: m.samplesMs.map((ms) => factor * ms) } : m),
      'moa-50',
    );

  test.each([
    [1.1, 'worse', 'worse'],
    [0.9, 'better', 'better'],
    [1.01, 'same', 'same'],
  ] as const)('a time of %d is %s', (factor, verdict, whole) => {
    const comparison = compareWith(slower(factor));
    const changed = comparison.timings.filter((row) => row.measure === 'decode' && row.batch === 4 && row.method === 'moa-50');
    expect(changed.map((row) => row.verdict)).toEqual([verdict, verdict]);
    expect(changed[0]?.ratio.estimate).toBeCloseTo(factor, 12);
    expect(comparison.verdict).toBe(whole);
  });

  test('a slow-down that is established and below the threshold is no regression', () => {
    const { timings } = compareRuns({ base, head: sideInput('head', { edit: slower(1.05) }), rules: { margin: 0.05, slower: 0.1 } });
    expect(timings.find((row) => row.measure === 'decode' && row.batch === 4 && row.method === 'moa-50')).toMatchObject({
      verdict: 'same',
      equivalent: true,
    });
  });

  test('times of two machines are shown and not judged, with what differs', () => {
    const elsewhere = editing('stretch', (stretch) => ({
      ...stretch,
      environment: { ...syntheticEnvironment, cpu: { ...syntheticEnvironment.cpu, model: 'Another CPU' } },
    }));
    const both = (record: RunRecord): RunRecord | null => elsewhere(slower(2)(record) ?? record);
    const { verdict, sentence, timings, notes } = compareWith(both);
    expect(sentence).toBe('No regression: HEAD is as good as BASE in all 72 comparisons. 24 more are shown and not judged.');
    expect(new Set(timings.map((row) => row.verdict))).toEqual(new Set(['not-comparable']));
    expect(timings.find((row) => row.batch === 4 && row.method === 'moa-50')?.ratio.estimate).toBeCloseTo(2, 12);
    expect(notes).toContain('24 comparisons of timing are shown and not judged: another processor: Synthetic CPU and Another CPU.');
    expect(verdict).toBe('same');
  });

  test('fewer than three processes decide nothing', () => {
    const two = editing('measurement', (m) => (m.process < 2 ? m : null));
    expect(new Set(compareWith(two).timings.map((row) => `${row.verdict}: ${row.reason}`))).toEqual(
      new Set(['undecided: fewer than 3 processes timed it']),
    );
  });

  test('times taken beside other programs decide nothing', () => {
    const busy = editing('stretch', (stretch) => ({
      ...stretch,
      environment: { ...syntheticEnvironment, cpu: { ...syntheticEnvironment.cpu, loadAverage: [7, 7, 7] } },
    }));
    expect(compareWith(busy)).toMatchObject({
      verdict: 'undecided',
      notes: expect.arrayContaining([expect.stringMatching(/HEAD was timed/)]),
    });
  });
});

describe('memory', () => {
  const bytes = (more: number) =>
    editing(
      'sample',
      (sample) => ({ ...sample, kvBytes: { planned: sample.kvBytes.planned + more, resident: sample.kvBytes.resident + more } }),
      'moa-50',
    );

  test('one byte more of the same plan is a regression, one fewer a gain', () => {
    const verdictOf = (more: number) =>
      compareWith(bytes(more)).memory.find((row) => row.what === 'kv' && row.method === 'moa-50' && row.length === 1024)?.verdict;
    expect([1, 0, -1].map(verdictOf)).toEqual(['worse', 'same', 'better']);
  });

  test('another plan of the same budget may have 2% more', () => {
    const other = editing('plan', (plan) => ({ ...plan, planHash: 'abcdefab' }), 'moa-50');
    const { memory, notes } = compareWith((record) => other(bytes(1)(record) ?? record));
    expect(memory.find((row) => row.what === 'kv' && row.method === 'moa-50' && row.length === 1024)).toMatchObject({
      verdict: 'same',
      tolerance: 0.02,
    });
    expect(notes).toContain('The plans of MoA 50% are not the same in both runs.');
  });

  test('a peak may have 1% more', () => {
    const peak = (factor: number) => editing('measurement', (m) => ({ ...m, peakBytes: (m.peakBytes ?? 0) * factor }), 'dense');
    const verdicts = (factor: number) =>
      new Set(compareWith(peak(factor)).memory.flatMap((row) => (row.what === 'peak' && row.method === 'dense' ? [row.verdict] : [])));
    expect([verdicts(1.009), verdicts(1.02)]).toEqual([new Set(['same']), new Set(['worse'])]);
  });

  test('what does not fit any more is a regression', () => {
    const unfit = (record: RunRecord): RunRecord | null => {
      if (record.kind !== 'measurement' || record.method !== 'dense' || record.measure !== 'decode' || record.batch !== 4) return record;
      if (record.control || record.cache === 'dynamic' || record.length !== 8192 || record.process > 0)
        return record.length === 8192 && !record.control && record.cache !== 'dynamic' ? null : record;
      const { kind: _kind, samplesMs: _samples, kvBytes: _kv, peakBytes: _peak, rssBytes: _rss, ...condition } = record;
      return { kind: 'unfit', ...condition, reason: 'device memory' };
    };
    const { memory, verdict } = compareWith(unfit);
    expect(memory.filter((row) => row.what === 'fits')).toMatchObject([
      { verdict: 'worse', method: 'dense', length: 8192, batch: 4, base: 1, head: 0 },
    ]);
    expect(verdict).toBe('worse');
  });
});

describe('cells', () => {
  const outcome = (change: 'failed' | 'missing') =>
    editing('outcome', (record) =>
      record.cellId !== 'retrieval/lines/1024/dense'
        ? record
        : change === 'missing'
          ? null
          : {
              kind: 'outcome',
              time: record.time,
              cell: record.cell,
              method: record.method,
              cellId: record.cellId,
              status: 'failed',
              error: { code: 'INTERNAL', message: 'a kernel died', hint: null, sampleId: null },
            },
    );

  test('a cell that fails in HEAD alone is a regression, with its reason', () => {
    expect(compareWith(outcome('failed'))).toMatchObject({
      verdict: 'worse',
      endings: [{ cellId: 'retrieval/lines/1024/dense', head: 'failed', verdict: 'worse', reason: 'a kernel died' }],
    });
  });

  test('a cell that HEAD has not finished leaves it undecided', () => {
    expect(compareWith(outcome('missing'))).toMatchObject({
      notes: expect.arrayContaining(['HEAD has not finished 1 cell that BASE has; go on with it by --resume.']),
      verdict: 'undecided',
      endings: [{ head: 'unfinished', verdict: 'undecided' }],
    });
  });

  test('cells that one suite alone asks for are named and decide nothing', () => {
    const suite = smallSuite();
    const fewer = { ...suite, quality: { retrieval: suite.quality?.retrieval } };
    const { verdict, onlyBase, onlyHead, notes } = compareRuns({ base, head: sideInput('head', { suite: fewer as typeof suite }) });
    expect(verdict).toBe('same');
    expect(onlyBase).toContain('longbench/multi_qa/2048/dense');
    expect(onlyHead).toEqual([]);
    expect(notes).toContain(`Cells that one run alone has are not compared: ${onlyBase.length} in BASE.`);
  });

  test('two runs without a common cell are not comparable', () => {
    const suite = smallSuite();
    const methods = suite.methods.map((method) => ({ ...method, id: `moa-${method.id}` }));
    const other = { ...suite, methods, report: { ...suite.report, baseline: 'moa-dense' } };
    expect(compareRuns({ base, head: sideInput('head', { suite: other }) })).toMatchObject({
      verdict: 'not-comparable',
      sentence: 'Not comparable: the two runs have no cell in common.',
    });
  });

  test('runs of two models are not comparable, and nothing is said of their cells', () => {
    const other = editing('run', (run) => ({ ...run, model: { ...run.model, name: 'other', weightsHash: 'beefbeef' } }));
    expect(compareWith(other)).toMatchObject({
      verdict: 'not-comparable',
      sentence: 'Not comparable: another model, BASE ran synthetic-7m and HEAD other.',
      quality: [],
      timings: [],
      memory: [],
      endings: [],
      notes: [],
    });
  });
});

describe('renamed methods', () => {
  const suite = smallSuite();
  const rename = (id: string): string => (id === 'moa-50' ? 'elastic-50' : id);
  const renamed = sideInput('head', {
    suite: { ...suite, methods: suite.methods.map((method) => ({ ...method, id: rename(method.id) })) },
  });

  test('are paired by the names given for them', () => {
    const paired = compareRuns({ base, head: renamed, renamed: new Map([['moa-50', 'elastic-50']]) });
    expect(paired.methods).toContainEqual({ base: 'moa-50', head: 'elastic-50', label: 'MoA 50%' });
    expect(paired.quality.some((row) => row.method === 'elastic-50')).toBe(true);
    expect(paired.onlyBase).toEqual([]);
    expect(compareRuns({ base, head: renamed }).notes).toContain('Only BASE has moa-50; --map pairs a renamed method.');
  });

  test.each([
    [new Map([['mao-50', 'elastic-50']]), 'Expected a method of BASE (dense, uniform-50, moa-50) for --map but received "mao-50"'],
    [new Map([['moa-50', 'elastic']]), 'Expected a method of HEAD (dense, uniform-50, elastic-50) for --map but received "elastic"'],
  ])('that are not there are refused', (names, message) => {
    expect(() => compareRuns({ base, head: renamed, renamed: names })).toThrow(message);
  });
});
