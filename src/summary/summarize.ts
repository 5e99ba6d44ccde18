import { groupBy } from '../core/group-by.ts';
import { densityAt } from '../plan/spans.ts';
import type { RecordOf, RunRecord } from '../records/record.ts';
import { expandCells } from '../suite/cells.ts';
import type { Suite } from '../suite/schema.ts';
import { checkRun } from './checks/run.ts';
import { type Comparable, comparable } from './comparable.ts';
import { summarizeContrasts } from './contrasts.ts';
import { summarizeData } from './data.ts';
import { adjustFamilies } from './families.ts';
import { summarizeRetrieval } from './retrieval.ts';
import { summarizePerplexity, summarizeScores } from './scores.ts';
import { type Selection, selectRecords } from './selection.ts';
import { summarizeSpeedContrasts } from './speed/contrasts.ts';
import { summarizeCapacity, summarizeSpeed, summarizeUnfit } from './speed/speed.ts';
import { timedArms } from './speed/timed-arms.ts';
import { type MethodSummary, SUMMARY_VERSION, type Summary } from './summary.ts';
import { writeVerdicts } from './verdicts.ts';

export interface SummarizeOptions {
  readonly records: readonly RunRecord[];
  readonly suite: Suite;
}

/** The summary of a run: estimates with intervals, paired tests, hygiene checks and verdicts. Equal records give equal summaries. */
export function summarize({ records, suite }: SummarizeOptions): Summary {
  const selection = selectRecords(records, suite);
  const baseline = suite.report.baseline;
  const parts = {
    retrieval: comparable('retrieval', selection),
    longbench: comparable('longbench', selection),
    perplexity: comparable('perplexity', selection),
  };
  const methods = suite.methods.map((method) => summarizeMethod(method.id, { selection, suite, parts }));
  const contrasts = summarizeContrasts(methods, { samples: selection.samples, comparable: parts.retrieval, baseline });
  const run = selection.run;
  const partial: Omit<Summary, 'checks' | 'verdicts'> = {
    version: SUMMARY_VERSION,
    title: suite.report.title ?? suite.name,
    description: suite.description ?? null,
    suite: { name: suite.name, hash: run?.suite.hash ?? '' },
    finished: records.at(-1)?.time ?? null,
    command: run?.command ?? null,
    model: run?.model ?? null,
    backend: run === null ? null : run.backend.description,
    baseline,
    common: commonConditions(suite, selection, parts),
    data: summarizeData(selection, suite),
    ...adjustFamilies(methods, contrasts, baseline),
    speedContrasts: summarizeSpeedContrasts(timedArms(selection.measurements), baseline),
    cells: summarizeCells(selection, suite),
  };
  const checks = checkRun({ summary: partial, selection });
  return { ...partial, checks, verdicts: writeVerdicts({ ...partial, checks }) };
}

/** How the suite's cells ended. Outcomes of cells that the suite no longer has are left out. */
function summarizeCells(selection: Selection, suite: Suite): Summary['cells'] {
  const expected = expandCells(suite).map((cell) => cell.id);
  const byId = new Map(selection.outcomes.map((outcome) => [outcome.cellId, outcome]));
  const outcomes = expected.flatMap((id) => byId.get(id) ?? []);
  return {
    expected: expected.length,
    completed: outcomes.filter((outcome) => outcome.status === 'completed').length,
    missing: expected.filter((id) => !byId.has(id)),
    skipped: outcomes.flatMap((o) => (o.status === 'skipped' ? [{ cellId: o.cellId, reason: o.reason }] : [])),
    failed: outcomes.flatMap((o) => (o.status === 'failed' ? [{ cellId: o.cellId, message: o.error.message }] : [])),
  };
}

type Parts = Readonly<Record<'retrieval' | 'longbench' | 'perplexity', Comparable>>;

interface MethodInput {
  readonly selection: Selection;
  readonly suite: Suite;
  readonly parts: Parts;
}

/** The conditions of the suite and of the records: those that all methods have (`used`), and those that some method lacks (`leftOut`). */
function commonConditions(suite: Suite, selection: Selection, parts: Parts): Summary['common'] {
  const { retrieval, longbench, perplexity } = suite.quality ?? {};
  const split = <T>(asked: readonly T[], scored: readonly T[], isUsed: (condition: T) => boolean) => {
    const all = [...new Set([...asked, ...scored])];
    return { used: all.filter(isUsed), leftOut: all.filter((condition) => !isUsed(condition)) };
  };
  const samplesOf = (part: 'retrieval' | 'longbench') => selection.samples.filter((sample) => sample.part === part);
  const usedIn =
    <T>(records: readonly RecordOf<'sample' | 'loss'>[], part: Comparable, key: (record: RecordOf<'sample' | 'loss'>) => T) =>
    (condition: T): boolean =>
      records.some((record) => key(record) === condition && part.isCommon(record));
  const lengthOf = (record: { readonly length: number }): number => record.length;
  const taskOf = (record: { readonly task: string }): string => record.task;
  const [found, scored] = [samplesOf('retrieval'), samplesOf('longbench')];
  const { losses } = selection;
  return {
    lengths: split(retrieval?.lengths ?? [], found.map(lengthOf), usedIn(found, parts.retrieval, lengthOf)),
    tasks: split(longbench?.tasks ?? [], scored.map(taskOf), usedIn(scored, parts.longbench, taskOf)),
    lossTasks: split(perplexity?.tasks ?? [], losses.map(taskOf), usedIn(losses, parts.perplexity, taskOf)),
  };
}

function summarizeMethod(id: string, { selection, suite, parts }: MethodInput): MethodSummary {
  const isBaseline = id === suite.report.baseline;
  const of = <R extends { readonly method: string }>(records: readonly R[], method: string): R[] =>
    records.filter((record) => record.method === method);
  const both = <R extends { readonly method: string }>(records: readonly R[]): { own: R[]; other: R[] } => ({
    own: of(records, id),
    other: of(records, suite.report.baseline),
  });
  const part = <R extends { readonly method: string }>(name: keyof Parts, records: readonly R[]) => {
    const { own, other } = both(records);
    const baseline = isBaseline || other.length === 0 ? null : { id: suite.report.baseline, samples: other };
    return { own, baseline, comparable: parts[name] };
  };
  const samples = (name: 'retrieval' | 'longbench') => selection.samples.filter((sample) => sample.part === name);
  const arms = timedArms(selection.measurements);
  const timed = (measure: 'prefill' | 'decode') => summarizeSpeed(arms, { method: id, baseline: suite.report.baseline, measure });
  const capacities = both(selection.capacities);
  const plan = of(selection.plans, id)[0] ?? null;
  const options = suite.methods.find((method) => method.id === id);
  return {
    id,
    label: options?.label ?? id,
    method: options?.method ?? 'plan',
    heterogeneity: plan?.plan.heterogeneity ?? null,
    planHash: plan?.planHash ?? null,
    density: densities(plan, suite),
    kvBytes: memoryByLength(selection, id, suite.report.baseline),
    retrieval: summarizeRetrieval({
      ...part('retrieval', samples('retrieval')),
      threshold: suite.quality?.retrieval?.threshold ?? 0.9,
      seed: `retrieval/${id}`,
    }),
    scores: summarizeScores(part('longbench', samples('longbench'))),
    perplexity: summarizePerplexity(part('perplexity', selection.losses)),
    prefill: timed('prefill'),
    decode: timed('decode'),
    unfit: summarizeUnfit(of(selection.unfit, id)),
    maxBatch: summarizeCapacity(capacities.own, capacities.other),
  };
}

/** The plan's density at every length that the plan states and at every length that the suite scores, from short to long. */
function densities(record: RecordOf<'plan'> | null, suite: Suite): MethodSummary['density'] {
  if (record === null) return [];
  const stated = Object.entries(record.plan.densities).map(([tokens, density]) => [Number(tokens), density] as const);
  const { retrieval, longbench, perplexity } = suite.quality ?? {};
  const lengths = [
    ...(retrieval?.lengths ?? []),
    ...(longbench === undefined ? [] : [longbench.length]),
    ...(perplexity === undefined ? [] : [perplexity.length]),
  ];
  const computed = lengths.map((tokens) => [tokens, densityAt(record.plan, tokens)] as const);
  return [...new Map([...stated, ...computed])].sort(([a], [b]) => a - b).map(([tokens, density]) => ({ tokens, density }));
}

function memoryByLength(selection: Selection, id: string, baseline: string): MethodSummary['kvBytes'] {
  const scored = [...selection.samples, ...selection.losses];
  const meanOf = (records: typeof scored, field: 'planned' | 'resident'): number =>
    records.reduce((sum, record) => sum + record.kvBytes[field], 0) / records.length;
  const others = groupBy(
    scored.filter((record) => record.method === baseline),
    (record) => `${record.length}/${record.sampleId}`,
  );
  const byLength = groupBy(
    scored.filter((record) => record.method === id),
    (record) => record.length,
  );
  return [...byLength]
    .sort(([a], [b]) => a - b)
    .map(([length, records]) => {
      // Both means are over the same samples. Otherwise a difference in prompt lengths would look like a difference in memory.
      const matched = records.filter((record) => others.has(`${length}/${record.sampleId}`));
      const theirs = matched.flatMap((record) => (others.get(`${length}/${record.sampleId}`) ?? []).slice(0, 1));
      const ratio = matched.length === 0 ? null : meanOf(matched, 'resident') / meanOf(theirs, 'resident');
      return {
        length,
        planned: meanOf(records, 'planned'),
        resident: meanOf(records, 'resident'),
        ratioToBaseline: ratio,
        n: records.length,
      };
    });
}
