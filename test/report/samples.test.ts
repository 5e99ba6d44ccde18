import { expect, it } from 'vitest';
import { recordsOf } from '../../src/records/record.ts';
import { sampleBrowser } from '../../src/report/samples.ts';
import { selectRecords } from '../../src/summary/selection.ts';
import { summarize } from '../../src/summary/summarize.ts';
import { syntheticRecords, syntheticSuite } from './synthetic-run.ts';

const suite = syntheticSuite({ samples: 12, methods: ['dense', 'uniform-25', 'moa-25'] });
const records = syntheticRecords(suite);
const summary = summarize({ records, suite });
const selection = selectRecords(records, suite);
const browser = sampleBrowser(summary, selection);

it('has every sample of the run, with prompt, reference, output and score', () => {
  const shown = browser?.questions.flatMap(({ answers, ...question }) =>
    answers.map(({ method, output, score }) =>
      [question.task, question.length, question.id, method, question.prompt, question.expected, output, score].join('\n'),
    ),
  );
  const ids = suite.methods.map(({ id }) => id);
  const recorded = recordsOf(records, 'sample').map((s) =>
    [
      s.task,
      s.length,
      s.sampleId,
      ids.indexOf(s.method),
      s.promptTail,
      s.expected.join(' | '),
      s.output,
      Number(s.score.toPrecision(4)),
    ].join('\n'),
  );
  expect(shown?.toSorted()).toEqual(recorded.toSorted());
  expect(browser?.total).toBe(browser?.questions.length);
});

it('counts lost and gained as the comparisons with the baseline do', () => {
  for (const { id, label, retrieval, scores } of summary.methods.filter((method) => method.id !== summary.baseline)) {
    const parts = [retrieval?.meanToBaseline, scores?.meanToBaseline];
    const total = (side: 'lost' | 'gained'): number => parts.reduce((sum, paired) => sum + (paired?.[side] ?? 0), 0);
    expect(
      browser?.changes.find(({ method }) => method === label),
      id,
    ).toMatchObject({ lost: total('lost'), gained: total('gained') });
    expect(total('lost')).toBeGreaterThan(0);
  }
});

it('marks which methods lost a question, and which stopped at their limit', () => {
  const cut = records.map((record) =>
    record.kind === 'sample' && record.method === 'moa-25' ? { ...record, finish: 'length' as const } : record,
  );
  const of = sampleBrowser(summary, selectRecords(cut, suite));
  const answers = of?.questions.flatMap((question) => question.answers) ?? [];
  expect(answers.every(({ method, stopped }) => (stopped === true) === (method === 2))).toBe(true);
  expect(answers.filter(({ method, change }) => method === 0 && change !== undefined)).toEqual([]);
  const lost = of?.questions.find(({ answers: [dense, uniform] }) => dense?.right === true && uniform?.right === false);
  expect(lost?.answers[1]?.change).toBe('lost');
});

it('keeps a run of 100,000 answers small: those on which methods differ first, the others spread evenly, the counts over all', () => {
  const { samples } = selection;
  const many = Array.from({ length: Math.ceil(100_000 / samples.length) }, (_, i) =>
    samples.map((sample) => ({ ...sample, sampleId: `${sample.sampleId}/${i}`, output: sample.output.padEnd(200, '.') })),
  ).flat();
  expect(many.length).toBeGreaterThanOrEqual(100_000);
  const of = sampleBrowser(summary, { ...selection, samples: many });
  expect(JSON.stringify(of).length).toBeLessThan(4.1 * 2 ** 20);
  expect(of?.questions.length).toBeGreaterThan(1000);
  expect(of?.total).toBe(many.length / 3);
  expect(of?.questions.every(({ answers }) => answers.some(({ change }) => change !== undefined))).toBe(true);
  expect(new Set(of?.questions.map(({ task, length }) => `${task} ${length}`)).size).toBe(
    new Set(samples.map(({ task, length }) => `${task} ${length}`)).size,
  );
  expect(of?.changes.map(({ lost }) => lost)).toEqual(browser?.changes.map(({ lost }) => (lost * many.length) / samples.length));
});

it('cuts a text of megabytes, and leaves out answers of methods that the suite does not have', () => {
  const huge = selection.samples.map((sample) => ({ ...sample, output: 'x'.repeat(3_000_000) }));
  const of = sampleBrowser(summary, { ...selection, samples: huge.slice(0, 3) });
  expect(of?.questions[0]?.answers[0]?.output).toBe(`${'x'.repeat(2500)}\u2026`);
  const strange = selection.samples.map((sample) => ({ ...sample, method: 'constructor' }));
  expect(sampleBrowser(summary, { ...selection, samples: strange })).toBeNull();
});
