import type { Sample } from '../data/sample.ts';
import { exactMatch } from './metrics/exact-match.ts';
import { METRICS } from './metrics/registry.ts';

/** The parts of a sample that scoring needs. */
export type Scorable = Pick<Sample, 'metric' | 'answers' | 'allClasses' | 'firstLineOnly'>;

/** What an output is worth. */
export interface Score {
  /** 0..1 by the sample's metric, maximum over its references. */
  readonly score: number;
  /** For 0-or-1 metrics: score 1. For graded ones: every reference string found or the text equals a reference. */
  readonly correct: boolean;
}

/** Scores a model's raw output text (special tokens removed) by the sample's metric, after its post-processing. */
export function scoreOutput(sample: Scorable, outputText: string): Score {
  const metric = METRICS[sample.metric];
  const text = sample.firstLineOnly === true ? firstLine(outputText) : outputText;
  const score = metric.score(text, sample);
  const graded = score === 1 || sample.answers.some((answer) => exactMatch(text, answer) === 1);
  return { score, correct: metric.binary ? score === 1 : graded };
}

/** LongBench's cut for few-shot tasks: after leading newlines, up to the next one. Spaces and carriage returns stay. */
export function firstLine(text: string): string {
  return text.replace(/^\n+/, '').split('\n', 1)[0] ?? '';
}
