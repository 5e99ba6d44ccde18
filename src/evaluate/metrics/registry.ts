import type { MetricName } from '../../data/sample.ts';
import { chineseRougeL, chineseTokenF1 } from './chinese.ts';
import { classificationScore } from './classification.ts';
import { codeSimilarity } from './code-similarity.ts';
import { chineseRetrievalScore, countScore, retrievalScore } from './digit-share.ts';
import { exactMatch } from './exact-match.ts';
import { lastIntegerMatch } from './last-integer.ts';
import { rougeL } from './rouge-l.ts';
import { cleanPrediction, stringMatchAll, stringMatchPart } from './string-match.ts';
import { tokenF1 } from './token-f1.ts';

/** What a metric may look at besides the prediction. */
interface MetricInput {
  readonly answers: readonly string[];
  readonly allClasses?: readonly string[] | undefined;
}

export interface Metric {
  /** Score 0..1 of a post-processed prediction. */
  readonly score: (prediction: string, input: MetricInput) => number;
  /** Whether a score is 0 or 1 by construction, so that proportions and McNemar's test apply. */
  readonly binary: boolean;
}

/** All metrics, by the names that samples carry. */
export const METRICS: Readonly<Record<MetricName, Metric>> = {
  'last-integer': { score: bestOf(lastIntegerMatch), binary: true },
  'exact-match': { score: bestOf(exactMatch), binary: true },
  'token-f1': { score: bestOf((prediction, answer) => tokenF1(prediction, answer)), binary: false },
  'rouge-l': { score: bestOf(rougeL), binary: false },
  classification: { score: classification, binary: false },
  retrieval: { score: bestOf(retrievalScore), binary: false },
  'token-f1-zh': { score: bestOf(chineseTokenF1), binary: false },
  'rouge-l-zh': { score: bestOf(chineseRougeL), binary: false },
  'retrieval-zh': { score: bestOf(chineseRetrievalScore), binary: false },
  count: { score: bestOf(countScore), binary: false },
  'code-similarity': { score: bestOf(codeSimilarity), binary: false },
  'string-match-all': { score: (prediction, { answers }) => stringMatchAll(cleanPrediction(prediction), answers), binary: false },
  'string-match-part': { score: (prediction, { answers }) => stringMatchPart(cleanPrediction(prediction), answers), binary: true },
};

/** The maximum over references, from 0 (LongBench). */
function bestOf(score: (prediction: string, answer: string) => number): Metric['score'] {
  return (prediction, { answers }) => answers.reduce((best, answer) => Math.max(best, score(prediction, answer)), 0);
}

function classification(prediction: string, { answers, allClasses = [] }: MetricInput): number {
  return answers.reduce((best, answer) => Math.max(best, classificationScore(prediction, answer, allClasses)), 0);
}
