import { describe, expect, it } from 'vitest';
import { budgetRule, candidateRules, releasedRules, scaledReleasedRules } from '../../../src/compress/optimize/rules.ts';
import { ruleKey } from '../../../src/plan/rule.ts';
import { spanOfRule } from '../../../src/plan/spans.ts';

describe('releasedRules', () => {
  it('is the released search space at 2k, 4k, 8k and 16k', () => {
    const rules = releasedRules([2048, 4096, 8192], [2048, 4096, 8192, 16384]);
    const eighths = new Map<number, number[]>();
    for (const { alpha, beta } of rules)
      eighths.set(
        alpha,
        [...(eighths.get(alpha) ?? []), beta * 8].sort((a, b) => a - b),
      );
    expect(rules).toHaveLength(48);
    expect(eighths).toEqual(
      new Map([
        [-1024, [5, 6, 7, 8]],
        [0, [1, 2, 3, 4, 5, 6, 7, 8]],
        [1024, [0, 1, 2, 3, 4, 5, 6, 7]],
        [2048, [0, 1, 2, 3, 4, 5, 6]],
        [3072, [0, 1, 2, 3, 4, 5]],
        [4096, [0, 1, 2, 3, 4]],
        [5120, [0, 1, 2, 3]],
        [6144, [0, 1, 2]],
        [7168, [0, 1]],
        [8192, [0]],
      ]),
    );
  });

  it('keeps its alphas 1,024 tokens apart, so that short lengths leave fewer rules, and refuses those that leave none', () => {
    const rules = releasedRules([1024, 2048], [1024, 4096]);
    expect(new Set(rules.map(({ alpha }) => alpha))).toEqual(new Set([0, 1024, 2048]));
    expect(rules).toHaveLength(14);
    expect(() => releasedRules([256], [256, 512])).toThrow(/received none from 256 tokens on/);
  });
});

describe('scaledReleasedRules', () => {
  it('is the released space at its own lengths; half the lengths give half the alphas', () => {
    const long = scaledReleasedRules([2048, 4096, 8192], [2048, 4096, 8192, 16384]);
    const short = scaledReleasedRules([1024, 2048, 4096], [1024, 2048, 4096, 8192]);
    expect(long).toEqual(releasedRules([2048, 4096, 8192], [2048, 4096, 8192, 16384]));
    expect(short).toEqual(long.map(({ alpha, beta }) => ({ alpha: alpha / 2, beta })));
  });
});

describe('candidateRules', () => {
  const lengths = { profileLengths: [1024, 2048, 4096], constraintLengths: [1024, 2048, 4096, 8192] };

  it.each([0.25, 0.3, 0.5])('nests the switches at budget %d', (budget) => {
    const keys = (['uniform', 'layers', 'heads', 'elastic'] as const).map(
      (heterogeneity) => new Set(candidateRules({ heterogeneity, budget, ...lengths }).map(ruleKey)),
    );
    for (let i = 1; i < keys.length; i++) for (const key of keys[i - 1] ?? []) expect(keys[i]?.has(key)).toBe(true);
    for (const rule of scaledReleasedRules(lengths.profileLengths, lengths.constraintLengths))
      expect(keys[3]?.has(ruleKey(rule))).toBe(true);
  });

  it('has exactly the released rules with eighths and a budget that is one of them', () => {
    expect(candidateRules({ heterogeneity: 'elastic', budget: 0.5, betaSteps: 8, ...lengths })).toHaveLength(48);
    expect(candidateRules({ heterogeneity: 'heads', budget: 0.5, betaSteps: 8, ...lengths }).every(({ alpha }) => alpha === 0)).toBe(true);
  });

  it('contains a rule that spends the budget in whole blocks and never more', () => {
    for (const budget of [0.25, 0.3, 0.41, 0.5, 0.77]) {
      const rule = budgetRule(budget, lengths.constraintLengths);
      for (const tokens of lengths.constraintLengths) {
        expect(spanOfRule(rule, tokens, 64)).toBe(64 * Math.floor((budget * tokens) / 64));
      }
    }
  });
});
