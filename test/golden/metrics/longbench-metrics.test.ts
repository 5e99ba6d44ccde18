import { describe, expect, test } from 'vitest';
import { MoaError } from '../../../src/core/errors.ts';
import type { MetricName } from '../../../src/data/sample.ts';
import { METRICS } from '../../../src/evaluate/metrics/registry.ts';
import { stringMatchAll, stringMatchPart } from '../../../src/evaluate/metrics/string-match.ts';
import { tokenF1 } from '../../../src/evaluate/metrics/token-f1.ts';
import { scoreOutput } from '../../../src/evaluate/score.ts';
import { readGolden } from '../read-golden.ts';
import { longBenchScore, longBenchScoreByLength, roundToCents } from './official-scorer.ts';

interface Case {
  readonly id: string;
  readonly metric: string;
  readonly dataset: string;
  readonly prediction: string;
  readonly answers: string[];
  readonly all_classes: string[] | null;
  readonly score: number;
  readonly score_moa_fork?: number;
  readonly score_no_postprocess?: number;
}
interface Aggregate {
  readonly function: string;
  readonly metric: string;
  readonly dataset: string;
  readonly case_ids: string[];
  readonly all_classes?: string[] | null;
  readonly lengths?: number[];
  readonly result: number | Record<string, number | null>;
}
const pack = readGolden('longbench-metrics.dev.json', import.meta.url) as {
  cases: Case[];
  raises: Case[];
  aggregates: Aggregate[];
};

const NAMES: Readonly<Record<string, MetricName>> = {
  qa_f1_score: 'token-f1',
  rouge_score: 'rouge-l',
  classification_score: 'classification',
  retrieval_score: 'retrieval',
  qa_f1_zh_score: 'token-f1-zh',
  rouge_zh_score: 'rouge-l-zh',
  retrieval_zh_score: 'retrieval-zh',
  count_score: 'count',
  code_sim_score: 'code-similarity',
  string_match_all: 'string-match-all',
  string_match_part: 'string-match-part',
  last_integer_match: 'last-integer',
};
const FIRST_LINE = ['trec', 'triviaqa', 'samsum', 'lsht'];

function scoreCase(item: Case, allClasses = item.all_classes): number {
  const metric = NAMES[item.metric];
  if (metric === undefined) throw new Error(`no metric for ${item.metric}`);
  const { score } = scoreOutput(
    { metric, answers: item.answers, firstLineOnly: FIRST_LINE.includes(item.dataset), ...(allClasses === null ? {} : { allClasses }) },
    item.prediction,
  );
  return score;
}

const chinese = (item: Case): boolean => item.metric.includes('_zh_');
const metrics = [...new Set(pack.cases.map(({ metric }) => metric))];

describe.each(metrics)('%s equals the official Python', (metric) => {
  test.each(pack.cases.filter((item) => item.metric === metric))('$id', (item) => {
    const score = scoreCase(item);
    // RULER's functions return percent, rounded to two decimals.
    if (metric.startsWith('string_match')) expect(roundToCents(score * 100)).toBe(item.score);
    else expect(score).toBeCloseTo(item.score, 14);
  });
});

test('the pack has the cases that its description counts', () => {
  expect(pack.cases.length).toBe(370);
  expect(pack.cases.filter(chinese).length).toBe(10);
});

test.each(pack.cases.filter((item) => item.score_moa_fork !== undefined))('$id: the MoA fork', (item) => {
  const prediction = FIRST_LINE.includes(item.dataset) ? (item.prediction.replace(/^\n+/, '').split('\n')[0] as string) : item.prediction;
  const best = Math.max(0, ...item.answers.map((answer) => tokenF1(prediction, answer, { endTokenAsSpace: true })));
  expect(best).toBeCloseTo(item.score_moa_fork as number, 14);
});

test.each(pack.cases.filter((item) => item.score_no_postprocess !== undefined))('$id: RULER without post-processing', (item) => {
  const match = item.metric === 'string_match_all' ? stringMatchAll : stringMatchPart;
  expect(roundToCents(match(item.prediction, item.answers) * 100)).toBe(item.score_no_postprocess);
});

test.each(pack.raises)('$id raises a typed error', (item) => {
  expect(() => scoreCase(item)).toThrow(MoaError);
});

const cases = new Map(pack.cases.map((item) => [item.id, item]));
test.each(pack.aggregates)('$function $metric $dataset', (aggregate) => {
  const scores = aggregate.case_ids.map((id) => scoreCase(cases.get(id) as Case, aggregate.all_classes ?? null));
  if (aggregate.function === 'longbench scorer_e') {
    expect(longBenchScoreByLength(scores, aggregate.lengths as number[])).toEqual(aggregate.result);
  } else if (aggregate.function === 'longbench scorer') {
    expect(longBenchScore(scores)).toBe(aggregate.result);
  } else {
    expect(roundToCents((scores.reduce((a, b) => a + b, 0) / scores.length) * 100)).toBe(aggregate.result);
  }
});

test('every metric name has an implementation', () => {
  expect(Object.keys(METRICS).sort()).toEqual([...new Set([...Object.values(NAMES), 'exact-match'])].sort());
});
