import { expect, test } from 'vitest';
import { benchSpans, visiblePairs } from '../../src/measure/kernel-cases.ts';

test('uniform and skewed spans hold the same slots, in whole blocks', () => {
  for (const tokens of [1024, 4096, 8192]) {
    const [uniform, skewed] = [benchSpans('uniform', 8, tokens, 0.5), benchSpans('skewed', 8, tokens, 0.5)];
    expect(skewed.reduce((a, b) => a + b)).toBe(uniform.reduce((a, b) => a + b));
    expect(Math.max(...skewed) / Math.min(...skewed)).toBe(4);
    for (const span of [...uniform, ...skewed]) {
      expect(span % 64).toBe(0);
      expect(span).toBeGreaterThanOrEqual(128);
      expect(span).toBeLessThanOrEqual(tokens);
    }
  }
});

test('visible pairs are those of the mask', () => {
  for (const [tokens, span] of [
    [100, 128],
    [128, 128],
    [300, 128],
    [300, 192],
  ] as const) {
    let pairs = 0;
    for (let i = 0; i < tokens; i++) for (let j = 0; j <= i; j++) if (j < 64 || i - j < span - 64) pairs++;
    expect(visiblePairs(tokens, span)).toBe(pairs);
  }
});
