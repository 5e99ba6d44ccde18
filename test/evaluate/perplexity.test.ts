import { expect, test } from 'vitest';
import { Rng } from '../../src/core/rng.ts';
import { type AnswerLoss, perplexity, relativePerplexity } from '../../src/evaluate/perplexity.ts';

const rng = new Rng('perplexity');
const losses: AnswerLoss[] = Array.from({ length: 40 }, (_, i) => ({
  sampleId: `s${i}`,
  task: i % 2 === 0 ? 'qa' : 'code',
  cluster: `s${i}`,
  answerTokens: 1 + (i % 7),
  sumLoss: (1 + (i % 7)) * (0.5 + rng.random()),
}));

test('tokens weigh the same, whatever answer they belong to', () => {
  const answer = (sampleId: string, answerTokens: number, sumLoss: number): AnswerLoss => ({
    sampleId,
    task: 'qa',
    cluster: sampleId,
    answerTokens,
    sumLoss,
  });
  expect(perplexity([answer('a', 3, 3), answer('b', 1, 5)], 'seed')).toMatchObject({ estimate: expect.closeTo(Math.exp(2), 12), n: 2 });
  const whole = perplexity(losses, 'seed');
  expect(whole.low).toBeLessThan(whole.estimate);
  expect(whole.high).toBeGreaterThan(whole.estimate);
  expect(whole.n).toBe(40);
});

test('pairing makes a constant difference per token certain, and leaves out what one side lacks', () => {
  const worse = losses.map((loss) => ({ ...loss, sumLoss: loss.sumLoss + 0.1 * loss.answerTokens }));
  const ratio = relativePerplexity(worse.toReversed(), losses.slice(0, 30), 'seed');
  expect(ratio?.n).toBe(30);
  for (const value of [ratio?.estimate, ratio?.low, ratio?.high]) expect(value).toBeCloseTo(Math.exp(0.1), 12);
  expect(relativePerplexity(worse, [], 'seed')).toBeNull();
});
