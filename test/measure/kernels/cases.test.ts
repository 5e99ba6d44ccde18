import { describe, expect, test } from 'vitest';
import { kernelPlan } from '../../../src/measure/kernels/plan.ts';
import {
  liveFractions,
  medianLayer,
  mostSkewedLayer,
  publishedSpans,
  resampled,
  skewOf,
  uniformOfEqualBytes,
} from '../../../src/measure/kernels/spans.ts';

const whole = { quick: false, shrink: 1, only: [] };

describe('the cases', () => {
  const { cases, checks, ceilings, poolBytes } = kernelPlan(whole);

  test('begin with ours, have contenders of different names, and rates against a ceiling that is found', () => {
    for (const one of cases) {
      expect(one.arms[0]?.id).toBe('ours');
      expect(new Set(one.arms.map(({ id }) => id)).size).toBe(one.arms.length);
    }
    const asked = new Set(cases.flatMap(({ work }) => (work === null ? [] : [work.ceiling])));
    expect(asked).toEqual(new Set(ceilings.map(({ ceiling }) => ceiling)));
    expect(new Set(cases.map(({ section, name }) => `${section} ${name}`)).size).toBe(cases.length);
  });

  test('need checks that there are: a misspelled need would let a wrong kernel be timed', () => {
    const needs = new Set(cases.flatMap((one) => one.needs));
    for (const need of needs)
      expect(
        checks.filter(({ name }) => name.startsWith(need)),
        need,
      ).not.toHaveLength(0);
  });

  test('fit into the memory that their tensors are taken from', () => {
    for (const { spec } of cases) {
      if (spec.op !== 'decode') continue;
      const layers = spec.spans.map((row) => row.reduce((a, b) => a + b, 0) * spec.batch * spec.headDim * 4);
      expect(Math.max(...layers)).toBeLessThan(poolBytes);
    }
  });

  test('name targets by arms that they have', () => {
    for (const one of cases) {
      for (const { of } of one.targets ?? []) {
        if (of === 'share of the ceiling') continue;
        expect(one.arms.map(({ id }) => id)).toEqual(expect.arrayContaining([...of]));
      }
    }
  });

  test('compiled peers come last: they take minutes', () => {
    const flex = cases.map(({ arms }) => arms.some(({ by }) => by === 'flex'));
    expect(flex.indexOf(true)).toBe(flex.lastIndexOf(false) + 1);
  });

  test('are chosen by section or by a part of their names, with the checks that they need', () => {
    const chosen = kernelPlan({ ...whole, only: ['gradient', 'dense B1 32/8 4k'] });
    expect(new Set(chosen.cases.map(({ section }) => section))).toEqual(new Set(['gradient', 'decode']));
    expect(chosen.checks.map(({ name }) => name.split(' ')[0])).toEqual(
      expect.arrayContaining(['decode', 'prefill', 'backward', 'influence']),
    );
    expect(chosen.checks.some(({ name }) => name.startsWith('append'))).toBe(false);
    expect(() => kernelPlan({ ...whole, only: ['decoed'] })).toThrow('Expected a section (decode, prefill, gradient, gemm, rows, sweep)');
  });

  test('are smaller when shrunk, in whole blocks, under the same names', () => {
    const small = kernelPlan({ ...whole, shrink: 16 });
    expect(small.cases.map(({ name }) => name.replace(/layers? [\d, ]+/, ''))).toEqual(
      cases.map(({ name }) => name.replace(/layers? [\d, ]+/, '')),
    );
    expect(small.cases[0]?.spec).toMatchObject({ batch: 2, tokens: 512, spans: [new Array(32).fill(512)] });
  });
});

describe('spans of published plans', () => {
  const spans = publishedSpans('vicuna-7b', 8192);

  test('are whole blocks of the density that the plan has', () => {
    expect(spans).toHaveLength(32);
    expect(spans.flat().every((span) => span % 64 === 0 && span >= 128)).toBe(true);
    expect(spans.flat().reduce((a, b) => a + b, 0) / (32 * 32 * 8192)).toBeCloseTo(0.4921875, 7);
  });

  // Figures of reports/cuda/2026-11-24-h200/kernels.json, which another program computed.
  test('have their layer in the middle and their most skewed one where they were found before', () => {
    expect(medianLayer(spans)).toBe(20);
    expect(skewOf(spans[20] ?? []).toFixed(2)).toBe('1.60');
    expect(mostSkewedLayer(spans)).toBe(30);
    expect(skewOf(spans[30] ?? []).toFixed(2)).toBe('3.33');
    const other = publishedSpans('vicuna-13b', 8192);
    expect([medianLayer(other), mostSkewedLayer(other)]).toEqual([4, 30]);
  });

  test('leave live what they left before', () => {
    const live = liveFractions(
      [0, 8, 16, 24].map((layer) => spans[layer] ?? []),
      8192,
    );
    expect(Object.values(live).map((share) => share.toFixed(3))).toEqual(['0.751', '0.774', '0.762']);
  });

  test('are dealt out evenly at equal bytes, and resampled to fewer heads with their distribution', () => {
    const sum = (row: readonly number[]): number => row.reduce((a, b) => a + b, 0);
    const even = uniformOfEqualBytes(spans);
    expect(even.map(sum)).toEqual(spans.map(sum));
    for (const row of even) expect(Math.max(...row) - Math.min(...row)).toBeLessThanOrEqual(64);
    expect(resampled([64, 512, 128, 256], 2)).toEqual([256, 64]);
  });
});
