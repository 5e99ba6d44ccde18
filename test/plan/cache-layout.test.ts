import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cacheLayout, wholeLayout } from '../../src/plan/cache-layout.ts';
import type { Plan } from '../../src/plan/schema.ts';
import { samplePlan } from './plans.ts';

/** A plan of one rule for all heads. */
function uniform(sink: number, rule: { readonly alpha: number; readonly beta: number }, method: Plan['method'] = 'streaming'): Plan {
  const fill = (value: number): number[][] => Array.from({ length: 2 }, () => [value, value]);
  return samplePlan({ method, sink, rules: { alpha: fill(rule.alpha), beta: fill(rule.beta) } });
}
const DENSE = uniform(64, { alpha: 0, beta: 1 }, 'dense');
const ask = (promptTokens: number, newTokens: number, reserveTokens?: number) =>
  ({ promptTokens, newTokens, reserveTokens, dtype: 'bf16' }) as const;

describe('the cache of a plan', () => {
  it('has the spans, the sink and the bytes of N = prompt + reserve, and no more than the sequence', () => {
    const common = { kind: 'ring', dtype: 'bf16', sink: 64, headDim: 16 };
    const slots = (...spans: number[]) => ({ spans: Int32Array.from(spans), bytes: spans.reduce((a, b) => a + b) * 2 * 16 * 2 });
    expect(cacheLayout(samplePlan(), ask(2000, 48))).toEqual({ ...common, ...slots(1024, 512, 1024, 2048), tokens: 2048 });
    expect(cacheLayout(samplePlan(), ask(2000, 48, 40))).toEqual(cacheLayout(samplePlan(), ask(2000, 48)));
    // A reserve of 1024 makes spans longer, but no cache larger than the sequence that it holds.
    expect(cacheLayout(samplePlan(), ask(512, 32, 1024))).toEqual({ ...common, ...slots(576, 512, 576, 576), tokens: 544 });
  });

  it('takes the reserve after the answer of a given text where it is told to', () => {
    const half = uniform(64, { alpha: 0, beta: 0.5 });
    expect(cacheLayout(half, ask(2048, 128, 1024)).spans[0]).toBe((2048 + 1024) / 2);
    expect(cacheLayout(half, { ...ask(2048, 128, 1024), reserveAfter: 'answer' }).spans[0]).toBe((2048 + 128 + 1024) / 2);
  });

  it.each([
    [0, 256, 256],
    [64, 256, 256],
    [192, 256, 256],
    [512, 256, 576], // the sink and one block of window
  ])('keeps a sink of %i tokens: a span of %i is %i slots', (sink, alpha, span) => {
    expect(cacheLayout(uniform(sink, { alpha, beta: 0 }), ask(4000, 96))).toMatchObject({ sink, spans: new Int32Array(4).fill(span) });
  });

  it('is all window where the sequence fits into the sink', () => {
    const plan = uniform(512, { alpha: 0, beta: 0.5 });
    for (const tokens of [1, 64, 500, 512]) expect(cacheLayout(plan, ask(tokens, 0))).toMatchObject({ sink: 0 });
    expect(cacheLayout(plan, ask(500, 12, 4096))).toMatchObject({ sink: 0, spans: new Int32Array(4).fill(512) });
    expect(cacheLayout(plan, ask(513, 0))).toMatchObject({ sink: 512, spans: new Int32Array(4).fill(576) });
  });

  it('is one that a backend takes, whatever plan and lengths: whole blocks above the sink, never more than the sequence', () => {
    const rule = fc.record({ alpha: fc.integer({ min: -4096, max: 4096 }), beta: fc.double({ min: 0, max: 1.5, noNaN: true }) });
    const lengths = fc.tuple(fc.integer({ min: 1, max: 9000 }), fc.integer({ min: 0, max: 200 }), fc.integer({ min: 0, max: 2048 }));
    fc.assert(
      fc.property(rule, fc.constantFrom(0, 64, 128, 512, 4096), lengths, (one, sink, [prompt, fresh, reserve]) => {
        const layout = cacheLayout(uniform(sink, one), ask(prompt, fresh, reserve));
        for (const span of layout.spans) {
          expect(span % 64).toBe(0);
          expect(span).toBeGreaterThan(layout.sink);
          expect(span).toBeLessThan(prompt + fresh + 64);
        }
        expect([0, sink]).toContain(layout.sink);
        if (layout.sink !== sink) expect(Math.min(...layout.spans)).toBeGreaterThanOrEqual(prompt + fresh); // nothing is evicted
      }),
    );
  });

  it('keeps everything for a dense plan, preallocated or growing', () => {
    expect(cacheLayout(DENSE, ask(99, 1, 1024))).toEqual(wholeLayout(DENSE.model, { tokens: 100, dtype: 'bf16' }));
    expect(wholeLayout(DENSE.model, { tokens: 100, dtype: 'f32' })).toMatchObject({
      kind: 'full',
      sink: 0,
      spans: new Int32Array(4).fill(128),
      bytes: 4 * 128 * 2 * 16 * 4,
    });
    expect(cacheLayout(DENSE, { ...ask(99, 1), grows: true })).toMatchObject({ kind: 'dynamic', bytes: 4 * 100 * 2 * 16 * 2 });
    expect(() => cacheLayout(samplePlan(), { ...ask(99, 1), grows: true })).toThrow(/a dense plan for the plan of a growing cache/);
    expect(() => cacheLayout(samplePlan(), ask(0, 0))).toThrow(/length in tokens/);
  });
});
