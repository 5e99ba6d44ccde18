import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { joinRules } from '../../src/plan/join-rules.ts';
import { spanOfRule } from '../../src/plan/spans.ts';

const lengths = [2048, 4096, 8192, 16384];

describe('joinRules', () => {
  it('takes the rule of the group that is the largest at every length', () => {
    const [small, large] = [
      { alpha: 0, beta: 0.25 },
      { alpha: 1024, beta: 0.5 },
    ];
    expect(joinRules([small, large, small], lengths, 64)).toEqual({ rule: large, distinct: 2, crossed: false });
    expect(joinRules([small, small], lengths, 64)).toEqual({ rule: small, distinct: 1, crossed: false });
  });

  it('compares at one length when given one, and lays a chord over rules that cross when given more', () => {
    const constant = { alpha: 4096, beta: 0 };
    const half = { alpha: 0, beta: 0.5 };
    expect(joinRules([constant, half], [4096], 64).rule).toEqual(constant);
    expect(joinRules([constant, half], [16384], 64).rule).toEqual(half);
    // The larger span is 4096 at 4k and 8192 at 16k; its chord has slope 1/3.
    const { rule, crossed } = joinRules([constant, half], [4096, 16384], 64);
    expect(crossed).toBe(true);
    expect([4096, 16384].map((n) => spanOfRule(rule, n, 64))).toEqual([4096, 8192]);
    expect(spanOfRule(rule, 8192, 64)).toBeGreaterThanOrEqual(4096);
  });

  it('never gives a head less than its own rule at any of the lengths', () => {
    const rule = fc.record({
      alpha: fc.integer({ min: -16, max: 128 }).map((b) => b * 64),
      beta: fc.integer({ min: 0, max: 16 }).map((k) => k / 16),
    });
    fc.assert(
      fc.property(
        fc.array(rule, { minLength: 1, maxLength: 8 }),
        fc.uniqueArray(fc.integer({ min: 128, max: 40_000 }), { minLength: 1, maxLength: 4 }),
        (rules, at) => {
          const joined = joinRules(rules, at, 64).rule;
          for (const tokens of at) {
            for (const own of rules) expect(spanOfRule(joined, tokens, 64)).toBeGreaterThanOrEqual(spanOfRule(own, tokens, 64));
          }
        },
      ),
    );
  });
});
