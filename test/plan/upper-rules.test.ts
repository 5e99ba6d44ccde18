import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { HeadRules } from '../../src/plan/rule.ts';
import { spanOfRules } from '../../src/plan/spans.ts';
import { upperRules } from '../../src/plan/upper-rules.ts';

const constant = { alpha: 4096, beta: 0 };
const half = { alpha: 0, beta: 0.5 };

describe('upperRules', () => {
  it('is the one rule that is the largest at every length', () => {
    const [small, large] = [
      { alpha: 0, beta: 0.25 },
      { alpha: 1024, beta: 0.5 },
    ];
    expect(upperRules([small, large, small])).toEqual([large]);
    expect(upperRules([small, small])).toEqual([small]);
    expect(upperRules([half, { alpha: 64, beta: 0.5 }])).toEqual([{ alpha: 64, beta: 0.5 }]);
  });

  it('keeps rules that cross, and drops one that is below them everywhere', () => {
    const below = { alpha: 1024, beta: 0.25 }; // both others are at 4,096 where they cross, at 8,192 tokens; this one is at 3,072 there
    expect(upperRules([half, below, constant])).toEqual([constant, half]);
  });

  it('has at every length the largest span of all rules, of as few as do', () => {
    const rule = fc.record({
      alpha: fc.integer({ min: -16, max: 128 }).map((b) => b * 64),
      beta: fc.integer({ min: 0, max: 16 }).map((k) => k / 16),
    });
    const some = fc.array(rule, { minLength: 1, maxLength: 8 }).map((rules) => rules as unknown as HeadRules);
    fc.assert(
      fc.property(some, fc.array(fc.integer({ min: 1, max: 60_000 }), { minLength: 1, maxLength: 8 }), (rules, lengths) => {
        const kept = upperRules(rules);
        for (const tokens of lengths) expect(spanOfRules(kept, tokens, 64)).toBe(spanOfRules(rules, tokens, 64));
        const value = (of: HeadRules, n: number): number => Math.max(...of.map(({ alpha, beta }) => alpha + beta * n));
        // Between two crossings lies the middle of some pair of lengths: without any one rule, a line is lower somewhere.
        const crossings = kept.flatMap((a) => kept.flatMap((b) => (a.beta > b.beta ? [(b.alpha - a.alpha) / (a.beta - b.beta)] : [])));
        const probes = [1, ...crossings, 1e7].sort((a, b) => a - b);
        const middles = probes.flatMap((n, i) => (i === 0 ? [n] : [(n + (probes[i - 1] as number)) / 2, n])).filter((n) => n >= 1);
        kept.forEach((_, i) => {
          const others = kept.filter((__, j) => j !== i) as unknown as HeadRules;
          if (others.length > 0) expect(middles.some((n) => value(others, n) < value(kept, n))).toBe(true);
        });
      }),
    );
  });
});
