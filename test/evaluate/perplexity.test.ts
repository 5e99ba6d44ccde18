import { expect, test } from 'vitest';
import { Rng } from '../../src/core/rng.ts';
import { type AnswerLoss, lossDifference, lossPerToken } from '../../src/evaluate/perplexity.ts';

const rng = new Rng('perplexity');
const losses: AnswerLoss[] = Array.from({ length: 40 }, (_, i) => ({
  sampleId: `s${i}`,
  task: i % 2 === 0 ? 'qa' : 'code',
  cluster: `s${i}`,
  answerTokens: 1 + (i % 7),
  sumLoss: (1 + (i % 7)) * (0.5 + rng.random()),
}));
const answer = (sampleId: string, task: string, answerTokens: number, sumLoss: number): AnswerLoss => ({
  sampleId,
  task,
  cluster: sampleId,
  answerTokens,
  sumLoss,
});

test('tokens of a task weigh the same, whatever answer they belong to, and so do tasks', () => {
  const qa = [answer('a', 'qa', 3, 3), answer('b', 'qa', 1, 5)];
  expect(lossPerToken(qa)).toEqual({ estimate: 2, low: null, high: null, n: 2 });
  const summary = [answer('c', 'summary', 900, 900)];
  expect(lossPerToken([...qa, ...summary])).toMatchObject({ estimate: 1.5, n: 3 });
});

test('there is an interval from eight answers a task on', () => {
  const whole = lossPerToken(losses);
  expect(whole.low).toBeLessThan(whole.estimate);
  expect(whole.high).toBeGreaterThan(whole.estimate);
  expect(whole.n).toBe(40);
  expect(lossPerToken(losses.slice(0, 16)).low).not.toBeNull();
  expect(lossPerToken(losses.slice(0, 15)).low).toBeNull();
});

test('differences are of the same answers, and leave out what one side lacks', () => {
  const worse = losses.map((loss, i) => ({ ...loss, sumLoss: loss.sumLoss + (i % 5 === 0 ? 0.3 : 0.1) * loss.answerTokens }));
  const difference = lossDifference(worse.toReversed(), losses.slice(0, 30));
  expect(difference).toMatchObject({ test: 'stratified-t', lost: 30, gained: 0, delta: { n: 30 } });
  expect(difference?.delta.low).toBeGreaterThan(0.09);
  expect(difference?.delta.high).toBeLessThan(0.3);
  expect(difference?.p).toBeLessThan(0.001);
  expect(lossDifference(worse, [])).toBeNull();
});

test('a constant difference has no spread that an interval could come from', () => {
  const worse = losses.map((loss) => ({ ...loss, sumLoss: loss.sumLoss + 0.1 * loss.answerTokens }));
  expect(lossDifference(worse, losses)).toMatchObject({ p: null, delta: { estimate: expect.closeTo(0.1, 12), low: null, high: null } });
});

test('a model that compression broke differs by nats, however large the ratio of perplexities', () => {
  const saturated = losses.map((loss) => ({ ...loss, sumLoss: 0 }));
  const broken = losses.map((loss, i) => ({ ...loss, sumLoss: (10 + (i % 3)) * loss.answerTokens }));
  const delta = lossDifference(broken, saturated)?.delta;
  expect(delta?.estimate).toBeCloseTo(11, 0);
  expect(delta?.high).toBeLessThan(12);
});
