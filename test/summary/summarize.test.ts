import { describe, expect, it } from 'vitest';
import { holm } from '../../src/core/statistics/holm.ts';
import type { Environment } from '../../src/records/environment.ts';
import { UNKNOWN_STRETCH } from '../../src/records/fields.ts';
import { type RecordOf, type RunRecord, WITHOUT_PLAN } from '../../src/records/record.ts';
import { summarize } from '../../src/summary/summarize.ts';
import { type MethodSummary, type Summary, summarySchema } from '../../src/summary/summary.ts';
import { syntheticEnvironment, syntheticRecords, syntheticSuite } from '../report/synthetic-run.ts';

const suite = syntheticSuite({ samples: 10, methods: ['dense', 'uniform-25', 'heads-25', 'moa-25'] });
const records = syntheticRecords(suite);
const summaryOf = (list: readonly RunRecord[]): Summary => summarize({ records: list, suite });
const summary = summaryOf(records);
// Less to bootstrap: retrieval and the baseline's timings.
const retrievalOnly = (list: readonly RunRecord[]): RunRecord[] =>
  list.filter((record) =>
    record.kind === 'sample'
      ? record.part === 'retrieval'
      : record.kind === 'measurement'
        ? record.method === 'dense'
        : record.kind !== 'loss',
  );
const checkOf = (summary: Summary, id: string): string | undefined => summary.checks.find((check) => check.id === id)?.status;

/** Records of where the results of chosen cells lie. */
function addresses(chosen: (cellId: string) => boolean): RunRecord[] {
  return records.flatMap((record): RunRecord[] => {
    if (record.kind !== 'outcome' || !chosen(record.cellId)) return [];
    const { time, cell, method, cellId } = record;
    return [{ kind: 'cell', time, cell, method, cellId, parts: {}, sampleSet: null }];
  });
}

describe('summarize', () => {
  const method = (id: string): MethodSummary | undefined => summary.methods.find((candidate) => candidate.id === id);

  it('fits its own schema', () => {
    expect(summarySchema.parse(JSON.parse(JSON.stringify(summary)))).toEqual(summary);
  });

  it('counts what the records say', () => {
    const own = records.flatMap((record) =>
      record.kind === 'sample' && record.part === 'retrieval' && record.method === 'moa-25' ? [record] : [],
    );
    for (const at of method('moa-25')?.retrieval?.lengths ?? []) {
      const here = own.filter((sample) => sample.length === at.length);
      expect(at).toMatchObject({ correct: here.filter((sample) => sample.correct).length, accuracy: { n: here.length } });
    }
    expect(method('moa-25')?.retrieval?.mean?.n).toBe(own.length);
    expect(method('moa-25')?.retrieval?.depths.reduce((n, cell) => n + cell.accuracy.n, 0)).toBe(own.length);
  });

  it('compares with the baseline, and the baseline with nothing', () => {
    expect(method('dense')).toMatchObject({
      retrieval: { meanToBaseline: null },
      scores: { mean: { relative: null } },
      perplexity: { toBaseline: null },
    });
    expect(method('uniform-25')?.retrieval?.meanToBaseline).toMatchObject({ other: 'dense', gained: 0 });
    expect(method('uniform-25')?.retrieval?.meanToBaseline?.delta.high).toBeLessThan(0);
    expect(method('uniform-25')?.kvBytes.map((at) => at.ratioToBaseline)).toEqual([0.25, 0.25, 0.25, 0.25]);
    expect(method('uniform-25')?.density).toEqual([1024, 2048, 4096, 8192].map((tokens) => ({ tokens, density: 0.25 })));
  });

  it('has ratios of timings whose intervals hold them, and none for the baseline', () => {
    const speeds = summary.methods.flatMap((m) => [...m.prefill, ...m.decode].map((speed) => ({ id: m.id, speed })));
    for (const { id, speed } of speeds) {
      expect(speed.tokensPerSecond.low).toBeLessThanOrEqual(speed.tokensPerSecond.estimate);
      expect(speed.tokensPerSecond.high).toBeGreaterThanOrEqual(speed.tokensPerSecond.estimate);
      expect(speed.speedup === null).toBe(id === 'dense' && speed.cache !== 'dynamic');
    }
    const growing = summary.methods[0]?.decode.find((speed) => speed.cache === 'dynamic' && speed.batch === 4);
    expect(growing?.speedup?.high).toBeLessThan(0.5);
  });

  it('contrasts methods of equal memory along the ladder', () => {
    expect(summary.contrasts.map(({ method: own, paired }) => [own, paired.other])).toEqual([
      ['heads-25', 'uniform-25'],
      ['moa-25', 'uniform-25'],
      ['moa-25', 'heads-25'],
    ]);
    expect(
      summary.verdicts.find((verdict) => verdict.startsWith('At equal KV memory, MoA 25% is better at retrieval than Uniform 25%')),
    ).toBeDefined();
  });

  it('names every family of comparisons and how many it holds', () => {
    expect(summary.families).toEqual([
      { name: 'retrieval over all lengths, each method against dense', comparisons: 3 },
      { name: 'retrieval at each length, each method against dense', comparisons: 12 },
      { name: 'retrieval over all lengths, methods of equal memory with each other', comparisons: 3 },
      { name: 'mean task score, each method against dense', comparisons: 3 },
      { name: 'loss of the answers, each method against dense', comparisons: 3 },
    ]);
    const own = summary.methods.flatMap(({ retrieval }) => retrieval?.meanToBaseline ?? []);
    expect(own.map(({ pHolm }) => pHolm)).toEqual(holm(own.map(({ p }) => p ?? Number.NaN)));
    for (const { comparisons } of own) expect(comparisons).toBe(3);
  });

  it('has one estimate for one quantity: differences are those of the means, and of the methods contrasted', () => {
    const meanOf = (id: string): number => method(id)?.retrieval?.mean?.estimate ?? Number.NaN;
    for (const { id, retrieval, scores } of summary.methods.slice(1)) {
      expect(retrieval?.meanToBaseline?.delta.estimate).toBeCloseTo(meanOf(id) - meanOf('dense'), 12);
      const [own, dense] = [scores?.mean, method('dense')?.scores?.mean];
      expect(scores?.meanToBaseline?.delta.estimate).toBeCloseTo((own?.score.estimate ?? 0) - (dense?.score.estimate ?? 1), 12);
      expect(own?.relative?.estimate).toBeCloseTo((own?.score.estimate ?? 0) / (dense?.score.estimate ?? 1), 12);
    }
    for (const { method: id, paired } of summary.contrasts)
      expect(paired.delta.estimate).toBeCloseTo(meanOf(id) - meanOf(paired.other), 12);
  });

  it('passes a healthy run', () => {
    expect(summary.checks.filter((check) => check.status === 'failed').map((check) => check.id)).toEqual(['power', 'clean-code']);
  });

  it('leaves out superseded cells', () => {
    const resumed = [
      ...records.map((record) =>
        !('cell' in record) ? record : { ...record, cell: `${record.cell.slice(0, 15)}${record.cell.endsWith('0') ? '1' : '0'}` },
      ),
      ...records,
    ];
    expect(summaryOf(retrievalOnly(resumed)).methods.map((m) => m.retrieval)).toEqual(summary.methods.map((m) => m.retrieval));
  });

  it('is equal for equal records', () => {
    expect(summaryOf(retrievalOnly(records))).toEqual(summaryOf(retrievalOnly(records)));
  });

  it('leaves out what the newest addresses of the cells do not name', () => {
    const only = summaryOf([...records, ...addresses((cellId) => cellId.startsWith('retrieval/'))]);
    expect(only.methods[0]).toMatchObject({ scores: null, perplexity: null, prefill: [], decode: [] });
    expect(only.methods[0]?.retrieval?.mean).toEqual(summary.methods[0]?.retrieval?.mean);
  });

  it('is empty but whole without records', () => {
    const empty = summarySchema.parse(summaryOf([]));
    expect(empty.verdicts).toEqual([]);
    expect(empty.checks.every((check) => check.status !== 'passed')).toBe(true);
  });
});

describe('checks', () => {
  const broken = (change: (record: RunRecord) => RunRecord | null): Summary =>
    summaryOf(retrievalOnly(records).flatMap((record) => change(record) ?? []));

  it('sees resident bytes that are not the planned ones, and blocks', () => {
    const summary = broken((record) =>
      record.kind === 'sample' && record.method === 'moa-25'
        ? { ...record, kvBytes: { ...record.kvBytes, resident: record.kvBytes.resident + 8192 } }
        : record,
    );
    expect(checkOf(summary, 'resident-bytes')).toBe('failed');
    expect(summary.verdicts[0]).toMatch(/^Do not rely on this run: resident KV bytes differ/);
  });

  /** The stretch of the synthetic run, opened again by another process under another id; it measured the second half. */
  const twoStretches = (second: Partial<Environment>, end: Partial<RecordOf<'stretchEnd'>> | null = {}): RunRecord[] => {
    const results = retrievalOnly(records);
    const half = results.findIndex((record) => record.kind === 'measurement');
    const opened: RunRecord = {
      kind: 'stretch',
      time: '2026-01-01T00:00:00Z',
      id: 'second',
      environment: { ...syntheticEnvironment, ...second },
    };
    const closed: RunRecord = {
      kind: 'stretchEnd',
      time: '2026-01-01T01:00:00Z',
      stretch: 'second',
      loadAverage: [2, 2, 2],
      substitutions: [],
      ...end,
    };
    const moved = results
      .slice(half)
      .map((record) => ('stretch' in record && 'cell' in record ? { ...record, stretch: 'second' } : record));
    return [...results.slice(0, half), opened, ...moved, ...(end === null ? [] : [closed])];
  };
  const messageOf = (summary: Summary, id: string): string | undefined => summary.checks.find((check) => check.id === id)?.message;
  const git = { commit: 'fedcba9876543210fedcba9876543210fedcba98', dirty: false };
  const busy = { ...syntheticEnvironment.cpu, loadAverage: [5, 5, 5] };

  it('sees kernels that stood in for others in any stretch, and names them', () => {
    const substitutions = ['gemm of f32 rows of 64 by bf16 [64, 64] into f32: the tiled kernel, as cuBLASLt takes operands of one dtype'];
    const summary = summaryOf(twoStretches({}, { substitutions }));
    expect(checkOf(summary, 'kernels-as-meant')).toBe('failed');
    expect(messageOf(summary, 'kernels-as-meant')).toContain('gemm of f32 rows');
  });

  it('says nothing of kernels where a stretch was killed before it told', () => {
    expect(checkOf(summaryOf(twoStretches({})), 'kernels-as-meant')).toBe('passed');
    expect(checkOf(summaryOf(twoStretches({}, null)), 'kernels-as-meant')).toBe('untested');
  });

  it('judges every stretch that measured, and only those', () => {
    expect(messageOf(summaryOf(twoStretches({ git })), 'clean-code')).toBe(
      'Commits 0123456789ab, fedcba987654 with uncommitted changes at 0123456789ab.',
    );
    expect(checkOf(summaryOf(twoStretches({ cpu: busy })), 'quiet-machine')).toBe('failed');
    // A clean, later process that measured nothing changes neither the dirty commit nor the load of the one that did.
    const idle: RunRecord = {
      kind: 'stretch',
      time: '2026-01-01T00:00:00Z',
      id: 'idle',
      environment: { ...syntheticEnvironment, git, cpu: busy },
    };
    const summary = summaryOf([...retrievalOnly(records), idle]);
    expect(messageOf(summary, 'clean-code')).toBe('Commit 0123456789ab with uncommitted changes.');
    expect(checkOf(summary, 'quiet-machine')).toBe('passed');
    expect(checkOf(summary, 'kernels-as-meant')).toBe('passed');
  });

  it('sees programs that came while timing: load at the end beyond the own threads', () => {
    expect(checkOf(summaryOf(twoStretches({}, { loadAverage: [2.9, 2, 2] })), 'quiet-machine')).toBe('passed');
    const late = summaryOf(twoStretches({}, { loadAverage: [4.5, 2, 2] }));
    expect(checkOf(late, 'quiet-machine')).toBe('failed');
    expect(messageOf(late, 'quiet-machine')).toBe(
      'Load of other programs 2.50 on 2 cores when it ended: other programs were running, so absolute timings are unsafe.',
    );
  });

  it('tests neither code nor machine nor kernels of what an older version recorded', () => {
    const old = summaryOf(
      retrievalOnly(records).flatMap((record): RunRecord[] =>
        record.kind === 'stretch' || record.kind === 'stretchEnd'
          ? []
          : 'stretch' in record
            ? [{ ...record, stretch: UNKNOWN_STRETCH }]
            : [record],
      ),
    );
    for (const id of ['clean-code', 'quiet-machine', 'kernels-as-meant']) expect(checkOf(old, id)).toBe('untested');
  });

  it('sees budgets that are nearly but not equal, and does not contrast them', () => {
    const summary = broken((record) =>
      record.kind === 'sample' && record.method === 'moa-25'
        ? { ...record, kvBytes: { planned: record.kvBytes.planned * 1.03, resident: record.kvBytes.resident * 1.03 } }
        : record,
    );
    expect(checkOf(summary, 'equal-budgets')).toBe('failed');
    expect(summary.contrasts.map(({ method }) => method)).toEqual(['heads-25']);
  });

  it('compares a freer method that has fewer bytes, as one with no more', () => {
    const summary = broken((record) =>
      record.kind === 'sample' && record.method === 'moa-25'
        ? { ...record, kvBytes: { planned: record.kvBytes.planned * 0.95, resident: record.kvBytes.resident * 0.95 } }
        : record,
    );
    expect(checkOf(summary, 'equal-budgets')).toBe('passed');
    expect(summary.contrasts.map(({ method, budget, paired }) => [method, budget, paired.other])).toEqual([
      ['heads-25', 'equal', 'uniform-25'],
      ['moa-25', 'fewer', 'uniform-25'],
      ['moa-25', 'fewer', 'heads-25'],
    ]);
    expect(summary.verdicts).toContainEqual(
      expect.stringMatching(/^With no more KV memory \(down to 95\.0% of it\), MoA 25% is better at retrieval than Uniform 25%: /),
    );
  });

  it('sees a method that answered other samples', () => {
    const summary = broken((record) =>
      record.kind === 'sample' && record.method === 'moa-25' && record.sampleId.endsWith('/3') ? null : record,
    );
    expect(checkOf(summary, 'same-samples')).toBe('failed');
    // Every length lacks a sample of one method's: it has no whole cell, and the others are compared without it.
    const [, , , moa] = summary.methods;
    expect(moa?.retrieval).toMatchObject({ mean: null, meanToBaseline: null, effectiveContext: null });
    expect(moa?.retrieval?.lengths.map(({ whole, toBaseline }) => [whole, toBaseline])).toEqual(Array(4).fill([false, null]));
    expect(summary.methods[1]?.retrieval?.mean?.n).toBe(40);
    expect(summary.verdicts.some((verdict) => verdict.includes('MoA 25%') && verdict.includes('retrieval'))).toBe(false);
  });

  it('sees a length that two of four methods lack, and has all means over the others', () => {
    const lacking = (record: RunRecord): boolean =>
      (record.kind === 'sample' && record.length === 8192 && ['moa-25', 'uniform-25'].includes(record.method)) ||
      (record.kind === 'outcome' && /^retrieval\/.*\/8192\/(moa|uniform)-25$/.test(record.cellId));
    const summary = broken((record) => (lacking(record) ? null : record));
    expect(summary.checks.find(({ id }) => id === 'same-samples')).toMatchObject({
      status: 'failed',
      message: expect.stringContaining('missing under retrieval lines 8192 (uniform-25, moa-25).'),
    });
    expect(summary.common.lengths).toEqual({ used: [1024, 2048, 4096], leftOut: [8192] });
    for (const { retrieval } of summary.methods) {
      expect(retrieval?.mean?.n).toBe(30);
      expect(retrieval?.effectiveContext?.longestTested).toBe(4096);
    }
    expect(summary.methods[0]?.retrieval?.lengths.map(({ length }) => length)).toEqual([1024, 2048, 4096, 8192]);
    expect(summary.contrasts.every(({ paired }) => paired.delta.n === 30)).toBe(true);
    expect(summary.verdicts).toContainEqual(
      expect.stringMatching(/of the retrieval questions at 1,024, 2,048 and 4,096 tokens, worse than/),
    );
  });

  it('concludes nothing from a cell that failed with one of its samples scored', () => {
    const summary = broken((record) => {
      if (record.kind === 'sample') return record.length === 1024 && Number(record.sampleId.split('/').at(-1)) < 1 ? record : null;
      if (record.kind !== 'outcome' || !record.cellId.startsWith('retrieval/lines/1024/')) return record;
      const { time, cell, method, cellId } = record;
      return {
        kind: 'outcome',
        time,
        cell,
        method,
        cellId,
        status: 'failed',
        error: { code: 'E', message: 'lost', hint: null, sampleId: null },
      };
    });
    for (const { retrieval } of summary.methods) {
      expect(retrieval?.lengths.map(({ accuracy, whole }) => [accuracy.n, whole])).toEqual([[1, false]]);
      expect(retrieval).toMatchObject({ mean: null, meanToBaseline: null, effectiveContext: null });
    }
    expect(checkOf(summary, 'baseline-able')).toBe('untested');
    expect(summary.families.filter(({ name }) => name.startsWith('retrieval'))).toEqual([]);
    expect(summary.verdicts.some((verdict) => verdict.includes('retrieval'))).toBe(false);
  });

  it('sees truncated prompts, and counts them in the right number', () => {
    const cut = (ids: RegExp): Summary =>
      broken((record) =>
        record.kind === 'sample' && record.method === 'dense' && ids.test(record.sampleId) ? { ...record, truncatedTokens: 5 } : record,
      );
    expect(checkOf(cut(/./), 'truncation')).toBe('failed');
    expect(messageOf(cut(/1024.*\/3$/), 'truncation')).toBe('1 of 160 prompts was truncated.');
    expect(messageOf(cut(/1024.*\/[34]$/), 'truncation')).toBe('2 of 160 prompts were truncated.');
    const two = broken((record) => ('method' in record && record.method === 'heads-25' ? null : record));
    expect(messageOf(two, 'equal-budgets')).toMatch(/^1 pair of methods compares at/);
  });

  it('sees a weak baseline and one that is beaten', () => {
    const weak = broken((record) =>
      record.kind === 'sample' && record.method === 'dense' ? { ...record, correct: false, score: 0 } : record,
    );
    expect(checkOf(weak, 'baseline-able')).toBe('failed');
    expect(checkOf(weak, 'baseline-best')).toBe('failed');
  });

  it('sees a study too small to miss nothing that matters', () => {
    const small = broken((record) => (record.kind === 'sample' && Number(record.sampleId.split('/').at(-1)) > 1 ? null : record));
    expect(small.checks.find(({ id }) => id === 'power')).toMatchObject({
      status: 'failed',
      severity: 'note',
      message: expect.stringContaining('With 8 pairs over all lengths and 3 comparisons, true differences of 80.1 points and more show up'),
    });
    const tiny = broken((record) => (record.kind === 'sample' && !record.sampleId.endsWith('/0') ? null : record));
    expect(tiny.checks.find(({ id }) => id === 'power')?.message).toContain(
      'With 4 pairs over all lengths and 3 comparisons, not even a total loss',
    );
    const large = summaryOf(
      retrievalOnly(records).flatMap((record): RunRecord[] =>
        record.kind === 'sample'
          ? Array.from({ length: 3 }, (_, i) => ({
              ...record,
              score: 1,
              correct: true,
              sampleId: `${record.sampleId}/${i}`,
              cluster: `${record.cluster}/${i}`,
            }))
          : [record],
      ),
    );
    expect(checkOf(large, 'power')).toBe('passed');
  });

  it('does not call a cell skipped for want of a plan that was made since', () => {
    const cellId = 'prefill/2048/moa-25';
    const skipped = { status: 'skipped', reason: 'method moa-25 has no plan (see its failed record)' } as const;
    const early: RunRecord = { kind: 'outcome', time: '2026-01-01T00:00:00Z', cell: WITHOUT_PLAN, method: 'moa-25', cellId, ...skipped };
    const { cells } = summaryOf([
      early,
      ...addresses(() => true),
      ...retrievalOnly(records).filter((record) => record.kind !== 'outcome' || record.cellId !== cellId),
    ]);
    expect(cells.skipped).toEqual([]);
    expect(cells.missing).toContain(cellId);
  });

  it('sees cells that did not complete and answers that no longer end', () => {
    const summary = broken((record) => {
      if (record.kind === 'outcome' && record.cellId === 'prefill/2048/moa-25')
        return {
          kind: 'outcome',
          time: record.time,
          cell: record.cell,
          method: record.method,
          cellId: record.cellId,
          status: 'skipped',
          reason: 'no memory',
        };
      return record.kind === 'sample' && record.method === 'moa-25' ? { ...record, finish: 'length' } : record;
    });
    expect(checkOf(summary, 'cells')).toBe('failed');
    expect(summary.checks[0]?.message).toMatch(/^87 of 88 cells completed; 1 was skipped\.$/);
    expect(summary.cells.skipped).toEqual([{ cellId: 'prefill/2048/moa-25', reason: 'no memory' }]);
    expect(checkOf(summary, 'answers-end')).toBe('failed');
  });

  it('sees a run that stopped in the middle', () => {
    const ends = records.flatMap((record) => (record.kind === 'outcome' ? [record.cellId] : []));
    const stopped = broken((record) => (record.kind === 'outcome' && ends.indexOf(record.cellId) >= 12 ? null : record));
    expect(stopped.checks[0]).toEqual({
      id: 'cells',
      status: 'failed',
      severity: 'warning',
      message: `12 of ${ends.length} cells completed; the rest did not run.`,
    });
    expect(stopped.cells.missing).toEqual(ends.slice(12));
  });

  it('tells a chosen part from a part that is missing', () => {
    const chosen = ['plan/dense', 'plan/moa-25', 'retrieval/lines/1024/dense', 'retrieval/lines/1024/moa-25'];
    const partOf = (ended: readonly string[]): Summary =>
      broken((record) => {
        if (record.kind === 'run') return { ...record, chosen };
        return record.kind === 'outcome' && !ended.includes(record.cellId) ? null : record;
      });
    expect(partOf(chosen).checks[0]).toMatchObject({
      status: 'failed',
      severity: 'note',
      message: expect.stringMatching(/^4 of \d+ cells completed; the rest were not chosen for this run\.$/),
    });
    expect(partOf(chosen.slice(1)).checks[0]).toMatchObject({
      status: 'failed',
      severity: 'warning',
      message: expect.stringMatching(/^3 of \d+ cells completed; 1 did not run, \d+ were not chosen for this run\.$/),
    });
  });
});
