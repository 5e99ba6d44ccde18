import fc from 'fast-check';
import { expect, test } from 'vitest';
import { metricNameSchema } from '../../src/data/sample.ts';
import type { METRICS } from '../../src/evaluate/metrics/registry.ts';
import { firstLine, scoreOutput } from '../../src/evaluate/score.ts';

test('binary metrics are correct at score 1, graded ones also where the text is the answer', () => {
  expect(scoreOutput({ metric: 'last-integer', answers: ['42'] }, 'line a-7 is <42>.')).toEqual({ score: 1, correct: true });
  expect(scoreOutput({ metric: 'last-integer', answers: ['42'] }, '<43>')).toEqual({ score: 0, correct: false });
  expect(scoreOutput({ metric: 'token-f1', answers: ['a violinist'] }, ' violinist')).toEqual({ score: 1, correct: true });
  expect(scoreOutput({ metric: 'rouge-l', answers: ['One two.'] }, ' One two.')).toMatchObject({ correct: true });
  expect(scoreOutput({ metric: 'rouge-l', answers: ['One two three.'] }, 'One two.')).toMatchObject({ correct: false });
});

test('the first line counts where the task says so', () => {
  expect(firstLine('\n\n Place \r\nQuestion:')).toBe(' Place \r');
  const sample = { metric: 'classification', answers: ['Place'], allClasses: ['Place', 'Date'] } as const;
  expect(scoreOutput(sample, 'Place\nDate').score).toBe(0.5);
  expect(scoreOutput({ ...sample, firstLineOnly: true }, 'Place\nDate').score).toBe(1);
});

/** Where Python's and JavaScript's text rules part, and what metrics look for. */
const text = fc.string({
  unit: fc.constantFrom(...'aAe 17.\n\t`#/_-<>ñ́٣𝟗\x1c\x85\ufeff', ' the ', 'Paragraph 3', 'İ', '\ud800'),
  maxLength: 40,
});

test('every metric gives 0..1 for any text, and 1 (0.999... for ROUGE) for the answer itself', () => {
  const answers: Partial<Record<keyof typeof METRICS, string>> = {
    'last-integer': '17',
    retrieval: 'Paragraph 3',
    'retrieval-zh': '段落3',
    count: '5',
  };
  fc.assert(
    fc.property(fc.constantFrom(...metricNameSchema.options), text, (metric, output) => {
      const answer = answers[metric] ?? 'line one of seven';
      const sample = { metric, answers: [answer], allClasses: [answer, 'other'] };
      const { score } = scoreOutput(sample, output);
      expect(score >= 0 && score <= 1).toBe(true);
      expect(scoreOutput(sample, answer).score).toBeCloseTo(1, 7);
    }),
    { numRuns: 150 },
  );
});
