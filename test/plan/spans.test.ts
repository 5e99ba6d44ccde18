import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ceilToBlock } from '../../src/core/blocks.ts';
import { densitiesAt, densityAt, rulesOf, spanOfRule, spansAt } from '../../src/plan/spans.ts';
import { samplePlan } from './plans.ts';

describe('spanOfRule', () => {
  it.each([
    [{ alpha: 0, beta: 0.5 }, 4096, 2048],
    [{ alpha: 0, beta: 0.5 }, 4100, 2112], // 2050 tokens take 33 blocks
    [{ alpha: 0, beta: 0.3 }, 1024, 320], // 307.2 truncated, then rounded up
    [{ alpha: 0.9, beta: 0.0625 }, 2048, 128], // 128.9 truncated first
    [{ alpha: -1024, beta: 0.625 }, 1024, 128], // below the smallest span
    [{ alpha: -1024, beta: 0.625 }, 8192, 4096],
    [{ alpha: 8192, beta: 0 }, 2048, 2048], // never more than N
    [{ alpha: 0, beta: 1 }, 2049, 2112],
    [{ alpha: 0, beta: 0.5 }, 100, 128],
    [{ alpha: 0, beta: 0.5 }, 64, 64], // a sequence of one block
    [{ alpha: 0, beta: 0.5 }, 1, 64],
  ])('%j at N = %i is %i slots', (rule, tokens, slots) => {
    expect(spanOfRule(rule, tokens, 64)).toBe(slots);
  });

  it('leaves a window of at least one block behind a longer sink', () => {
    expect(spanOfRule({ alpha: 0, beta: 0.01 }, 4096, 256)).toBe(320);
    expect(spanOfRule({ alpha: 0, beta: 0.01 }, 4096, 0)).toBe(64);
  });

  it('is whole blocks, at least one, at most the sequence, and grows with alpha and N', () => {
    const rule = fc.record({ alpha: fc.integer({ min: -20_000, max: 20_000 }), beta: fc.double({ min: 0, max: 1.5, noNaN: true }) });
    fc.assert(
      fc.property(rule, fc.integer({ min: 1, max: 300_000 }), ({ alpha, beta }, tokens) => {
        const span = spanOfRule({ alpha, beta }, tokens, 64);
        expect(span % 64).toBe(0);
        expect(span).toBeGreaterThanOrEqual(64);
        expect(span).toBeLessThanOrEqual(ceilToBlock(tokens));
        expect(spanOfRule({ alpha: alpha + 64, beta }, tokens, 64)).toBeGreaterThanOrEqual(span);
        expect(spanOfRule({ alpha, beta }, tokens + 1, 64)).toBeGreaterThanOrEqual(span);
      }),
    );
  });

  it('refuses lengths that are none', () => {
    for (const tokens of [0, -1, 1.5, Number.NaN, 2 ** 31])
      expect(() => spanOfRule({ alpha: 0, beta: 1 }, tokens, 64)).toThrow(/length in tokens/);
  });
});

describe('a plan', () => {
  it('has spans, densities and bytes at a length', () => {
    const plan = samplePlan();
    expect([...spansAt(plan, 2048)]).toEqual([1024, 512, 1024, 2048]);
    expect(densityAt(plan, 2048)).toBe(4608 / 8192);
    expect(densitiesAt(plan, [2048, 4096])).toEqual({ 2048: 4608 / 8192, 4096: (2048 + 512 + 2560 + 4096) / 16384 });
    // A reserve of 1024 makes spans longer, but no cache larger than the sequence that it holds.
    expect([...spansAt(plan, 512 + 1024, 512 + 32)]).toEqual([576, 512, 576, 576]);
    expect(rulesOf(plan)).toEqual([
      [{ alpha: 0, beta: 0.5 }],
      [{ alpha: 512, beta: 0 }],
      [{ alpha: -512, beta: 0.75 }],
      [{ alpha: 0, beta: 1 }],
    ]);
  });

  it('is the largest of the rules of a head that has several', () => {
    const { rules } = samplePlan();
    const plan = samplePlan({ rules: { ...rules, further: [{ layer: 0, head: 1, alpha: 0, beta: 0.25 }] } });
    expect(rulesOf(plan)[1]).toEqual([
      { alpha: 512, beta: 0 },
      { alpha: 0, beta: 0.25 },
    ]);
    expect([1024, 2048, 4096].map((tokens) => spansAt(plan, tokens)[1])).toEqual([512, 512, 1024]);
    expect(spansAt(plan, 4096 + 1024, 640)[1]).toBe(640);
  });

  it('is dense at density 1 at any length when its rules are N', () => {
    const ones = [
      [1, 1],
      [1, 1],
    ];
    const plan = samplePlan({ method: 'dense', rules: { alpha: ones.map((row) => row.map(() => 0)), beta: ones } });
    for (const tokens of [1, 63, 64, 65, 1000, 8192]) expect(densityAt(plan, tokens)).toBe(1);
  });
});
