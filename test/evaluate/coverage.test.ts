import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Rng } from '../../src/core/rng.ts';
import { mean } from '../../src/core/statistics/descriptive.ts';
import { holm } from '../../src/core/statistics/holm.ts';
import { boundedInterval, fiellerInterval } from '../../src/core/statistics/strata.ts';
import { TASK_NAMES } from '../../src/data/tasks.ts';
import { meanShare } from '../../src/evaluate/accuracy.ts';
import { effectiveContext } from '../../src/evaluate/effective-context.ts';
import { pairedBinary, pairedGraded } from '../../src/evaluate/paired.ts';
import { lossDifference, lossPerToken } from '../../src/evaluate/perplexity.ts';
import { FEWEST_FOR_SCORES, meanOverStrata } from '../../src/evaluate/stratified.ts';
import { taskScores } from '../../src/evaluate/task-scores.ts';
import { loadSuite } from '../../src/suite/load.ts';
import { lostNats, nats, type Population, right, SCORE_POPULATIONS } from './populations.ts';

/**
 * Simulated studies of the sizes of our suites. Of nominal 95% intervals, 93% to 97% must hold the truth. A simulated share has an error of its own,
 * so that each bound is widened by two of its standard errors. More than 97% is let pass only where a comment says why nothing else is possible.
 */
const quality = (name: string) =>
  loadSuite(join(import.meta.dirname, `../../suites/${name}.yaml`), { generatedTasks: TASK_NAMES }).suite.quality ?? {};
const [quick, reference] = [quality('quick'), quality('reference')];
const sizesOfRetrieval = [quick, reference].map(({ retrieval }) => [retrieval?.lengths.length ?? 0, retrieval?.samples ?? 0] as const);

interface Limits {
  readonly low: number | null;
  readonly high: number | null;
}

/** Counts how many intervals hold the truth; studies without one are left out. */
class Coverage {
  #held = 0;
  #studies = 0;

  add(interval: Limits | null | undefined, truth: number): void {
    if (!interval || interval.low === null || interval.high === null) return;
    this.#studies++;
    if (interval.low <= truth + 1e-12 && interval.high >= truth - 1e-12) this.#held++;
  }

  expectWithin(least: number, most: number): void {
    const error = 2 * Math.sqrt((0.05 * 0.95) / this.#studies);
    const share = this.#held / this.#studies;
    expect(this.#studies).toBeGreaterThan(50);
    expect(share).toBeGreaterThanOrEqual(least - error);
    expect(share).toBeLessThanOrEqual(most + error);
  }
}

const studies = (count: number, run: () => void): void => {
  for (let study = 0; study < count; study++) run();
};
const truthOf = (population: Population): number => {
  const rng = new Rng('truth');
  return mean(Array.from({ length: 5000 }, () => population(rng)));
};

describe.each(sizesOfRetrieval)('retrieval at %i lengths of %i samples', (lengths, samples) => {
  const curves = [
    [0.5, 0.5, 0.5, 0.5],
    [0.9, 0.85, 0.8, 0.75],
    [1, 0.9, 0.6, 0.2],
    [0.97, 0.6, 0.2, 0.05],
  ].map((curve) => curve.slice(0, lengths));

  test.each(curves.map((curve) => [curve]))('the mean accuracy of %j', (curve) => {
    const rng = new Rng(`accuracy/${curve}`);
    const coverage = new Coverage();
    studies(500, () => {
      const answers = curve.map((p, s) => Array.from({ length: samples }, (_, i) => ({ cluster: `${s}/${i}`, correct: rng.random() < p })));
      coverage.add(meanShare(answers), mean(curve));
    });
    coverage.expectWithin(0.93, 0.97);
  });

  test('accuracy at a length, whatever it is', () => {
    // One accuracy a study: for a single true one the share jumps with the count that Wilson's limits fall on.
    const rng = new Rng('any accuracy');
    const coverage = new Coverage();
    studies(1000, () => {
      const p = rng.random();
      coverage.add(meanShare([Array.from({ length: samples }, (_, i) => ({ cluster: `${i}`, correct: rng.random() < p }))]), p);
    });
    coverage.expectWithin(0.93, 0.97);
  });

  test.each([
    ['flips both ways', [0.15, 0.15, 0.15, 0.15], [0.15, 0.15, 0.15, 0.15], 0.97],
    ['a loss of half', [0.5, 0.5, 0.5, 0.5], [0.02, 0.02, 0.02, 0.02], 0.97],
    ['a loss that grows with length', [0.02, 0.2, 0.6, 0.9], [0.01, 0.01, 0.01, 0.01], 0.97],
    // Two flips a study: no interval of so few can be exact, but it may not be too short.
    ['rare flips', [0.02, 0.02, 0.02, 0.02], [0.02, 0.02, 0.02, 0.02], 1],
  ])('the paired difference under %s', (name, lost, gained, most) => {
    const rng = new Rng(`paired/${name}`);
    const coverage = new Coverage();
    const truth = mean(gained.slice(0, lengths)) - mean(lost.slice(0, lengths));
    studies(500, () => {
      const strata = Array.from({ length: lengths }, (_, s) =>
        Array.from({ length: samples }, (_, i) => ({ ...pairOf(rng.random(), lost[s] ?? 0, gained[s] ?? 0), cluster: `${i}` })),
      );
      coverage.add(pairedBinary(strata)?.delta, truth);
    });
    coverage.expectWithin(0.93, most);
  });

  test('the effective context', () => {
    // An interval of tested lengths: where a length is far from the threshold nothing is in doubt, and all intervals hold the truth.
    const rng = new Rng('effective');
    const coverage = new Coverage();
    studies(60, () => {
      const start = 0.86 + 0.14 * rng.random();
      const curve = Array.from({ length: lengths }, (_, s) => Math.max(0, start - s * 0.08 * rng.random()));
      const short = curve.findIndex((p) => p < 0.9);
      const truth = short < 0 ? lengths : short;
      const shares = curve.map((p, s) => ({
        length: s + 1,
        trials: samples,
        share: mean(Array.from({ length: samples }, () => (rng.random() < p ? 1 : 0))),
      }));
      coverage.add(effectiveContext(shares, { threshold: 0.9, seed: 'seed' }), truth);
    });
    coverage.expectWithin(0.93, 1);
  });
});

function pairOf(u: number, lost: number, gained: number): { own: number; other: number } {
  if (u < lost) return { own: 0, other: 1 };
  return u < lost + gained ? { own: 1, other: 0 } : { own: 1, other: 1 };
}

describe('questions that share documents', () => {
  test.each([
    [16, 2, 0.5, 0.5],
    [16, 2, 0.8, 0.5],
    [32, 3, 0.8, 0.3],
    [12, 3, 0.5, 0.5],
  ])('%i documents of %i questions, %d right, correlation %d: accuracy', (documents, questions, p, correlation) => {
    const rng = new Rng(`clusters/${documents}/${p}`);
    const coverage = new Coverage();
    const naive = new Coverage();
    studies(500, () => {
      const answers = Array.from({ length: documents }, (_, d) => {
        const shared = rng.random() < p;
        return Array.from({ length: questions }, () => ({
          cluster: `${d}`,
          correct: rng.random() < Math.sqrt(correlation) ? shared : rng.random() < p,
        }));
      }).flat();
      coverage.add(meanShare([answers]), p);
      naive.add(meanShare([answers.map((answer, i) => ({ ...answer, cluster: `${i}` }))]), p);
    });
    coverage.expectWithin(0.93, 0.97);
    expect(() => naive.expectWithin(0.93, 0.97)).toThrow();
  });
});

describe('task scores', () => {
  const tasks = reference.longbench?.tasks.length ?? 0;
  const samples = reference.longbench?.samples ?? 0;

  test.each(Object.keys(SCORE_POPULATIONS))('mean, ratio and difference of %s scores', (name) => {
    const populations = (SCORE_POPULATIONS[name] ?? []).slice(0, tasks);
    // A method that loses half of every fifth score, and gains now and then.
    const drawPair = (rng: Rng, population: Population) => {
      const other = population(rng);
      const own = rng.random() < 0.2 ? other / 2 : rng.random() < 0.05 ? Math.min(1, other + 0.3) : other;
      return { own, other };
    };
    const [own, other] = (['own', 'other'] as const).map((side) =>
      mean(populations.map((population) => truthOf((rng) => drawPair(rng, population)[side]))),
    ) as [number, number];
    const rng = new Rng(`scores/${name}`);
    const [ofMean, ofRatio, ofDifference] = [new Coverage(), new Coverage(), new Coverage()];
    studies(300, () => {
      const strata = populations.map((population) =>
        Array.from({ length: samples }, (_, i) => ({ cluster: `${i}`, ...drawPair(rng, population) })),
      );
      const [mine, theirs] = [meanOverStrata(strata, (pair) => pair.own), meanOverStrata(strata, (pair) => pair.other)];
      ofMean.add(boundedInterval(mine, FEWEST_FOR_SCORES), own);
      ofRatio.add(fiellerInterval(mine, theirs, FEWEST_FOR_SCORES), own / other);
      ofDifference.add(pairedGraded(strata)?.delta, own - other);
    });
    for (const coverage of [ofMean, ofRatio, ofDifference]) coverage.expectWithin(0.93, 0.97);
  });

  test('quick shows points: it has too few samples a task for an interval', () => {
    const few = quick.longbench?.samples ?? 0;
    const rng = new Rng('quick');
    const scores = Array.from({ length: 6 * few }, (_, i) => ({
      sampleId: `${i}`,
      cluster: `${i}`,
      task: `${i % 6}`,
      category: `${i % 6}`,
      score: rng.random(),
    }));
    expect(taskScores(scores, null).mean.score).toMatchObject({ low: null, high: null, n: 6 * few });
    const losses = Array.from({ length: 2 * (quick.perplexity?.samples ?? 0) }, (_, i) => ({
      ...{ sampleId: `${i}`, cluster: `${i}`, task: `${i % 2}` },
      ...{ answerTokens: 5, sumLoss: rng.random() },
    }));
    expect(lossPerToken(losses)).toMatchObject({ low: null, high: null });
  });
});

describe('losses of answers', () => {
  const lengths = [
    [3, 6],
    [3, 6],
    [6, 6],
    [17, 59],
  ] as const;
  const samples = reference.perplexity?.samples ?? 0;
  const tasks = reference.perplexity?.tasks.length ?? 0;

  test.each([
    ['a model that is never sure', [0.9, 1.2, 0.5, 0.9].map(nats)],
    ['a saturated model that compression broke', [lostNats(0.6, 6), lostNats(0.5, 7), lostNats(0.6, 5), lostNats(0.7, 12)]],
    ['a difference that is noise around a loss', [0.05, 0.02, 0, 0.1].map((loss) => (rng: Rng) => loss + 0.1 * rng.normal())],
  ])('nats per token of %s', (name, populations) => {
    const rng = new Rng(`losses/${name}`);
    const draw = (count: number) =>
      populations.slice(0, tasks).flatMap((population, t) =>
        Array.from({ length: count }, (_, i) => {
          const answerTokens = rng.int(...(lengths[t] as [number, number]));
          return { sampleId: `${t}/${i}`, cluster: `${t}/${i}`, task: `${t}`, answerTokens, sumLoss: answerTokens * population(rng) };
        }),
      );
    const truth = lossPerToken(draw(10_000)).estimate;
    const [alone, beside] = [new Coverage(), new Coverage()];
    studies(300, () => {
      const losses = draw(samples);
      alone.add(lossPerToken(losses), truth);
      const baseline = losses.map((loss) => ({ ...loss, sumLoss: rng.random() }));
      const own = losses.map((loss, i) => ({ ...loss, sumLoss: loss.sumLoss + (baseline[i]?.sumLoss ?? 0) }));
      beside.add(lossDifference(own, baseline)?.delta, truth);
    });
    for (const coverage of [alone, beside]) coverage.expectWithin(0.93, 0.97);
  });
});

describe('A/A families of methods that differ by noise only call a difference in at most 5% of runs', () => {
  const methods = 6;
  const calls = (runs: number, family: () => (number | null | undefined)[]): number => {
    let called = 0;
    studies(runs, () => {
      const p = family().flatMap((value) => value ?? []);
      if (holm(p).some((adjusted) => adjusted < 0.05)) called++;
    });
    return called / runs;
  };
  // Two standard errors of 5% in so many runs.
  const most = (runs: number): number => 0.05 + 2 * Math.sqrt((0.05 * 0.95) / runs);

  test.each(sizesOfRetrieval)('retrieval over %i lengths of %i samples', (lengths, samples) => {
    const rng = new Rng('A/A retrieval');
    const share = calls(200, () =>
      Array.from({ length: methods }, () => {
        const flips = 0.02 + 0.2 * rng.random();
        const strata = Array.from({ length: lengths }, () =>
          Array.from({ length: samples }, (_, i) => ({ ...pairOf(rng.random(), flips, flips), cluster: `${i}` })),
        );
        return pairedBinary(strata)?.p;
      }),
    );
    expect(share).toBeLessThanOrEqual(most(200));
  });

  test('mean task scores', () => {
    const rng = new Rng('A/A scores');
    const populations = [right(0.5), right(0.7), right(0.95), SCORE_POPULATIONS.longbench?.[0] ?? right(0.5)];
    const share = calls(150, () => {
      const base = populations.map((population) => Array.from({ length: reference.longbench?.samples ?? 0 }, () => population(rng)));
      return Array.from({ length: methods }, () => {
        const redrawn = (t: number, score: number): number => (rng.random() < 0.3 ? (populations[t] as Population)(rng) : score);
        return pairedGraded(base.map((scores, t) => scores.map((other, i) => ({ own: redrawn(t, other), other, cluster: `${i}` }))))?.p;
      });
    });
    expect(share).toBeLessThanOrEqual(most(150));
  });
});
