import { describe, expect, it } from 'vitest';
import { recordsOf } from '../../src/records/record.ts';
import { methodStyles } from '../../src/report/chart.ts';
import { speedCharts } from '../../src/report/charts/efficiency.ts';
import { elasticCurves } from '../../src/report/charts/elastic.ts';
import { spanMap } from '../../src/report/charts/spans.ts';
import { compileSpec, loadVegaRuntime } from '../../src/report/render.ts';
import { HEAT, lightTheme, METHOD_COLOURS, SHARE } from '../../src/report/theme.ts';
import { syntheticRecords, syntheticSuite } from './synthetic-run.ts';

/** WCAG relative luminance of a #rrggbb colour. */
function luminance(colour: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const channel = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return channel <= 0.03928 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
const contrast = (a: string, b: string): number =>
  (Math.max(luminance(a), luminance(b)) + 0.05) / (Math.min(luminance(a), luminance(b)) + 0.05);

describe('theme', () => {
  it('has method colours that stand out on their paper', () => {
    for (const { light, dark } of METHOD_COLOURS) {
      expect(contrast(light, '#ffffff')).toBeGreaterThan(2.8);
      expect(contrast(dark, '#181c22')).toBeGreaterThan(4.5);
    }
  });

  it('has scales that rise in lightness', () => {
    for (const scale of [HEAT, SHARE]) expect(scale.map(luminance)).toEqual(scale.map(luminance).toSorted((a, b) => a - b));
  });
});

describe('methodStyles', () => {
  const method = (id: string, label: string) => ({ ...({} as Parameters<typeof methodStyles>[0]['methods'][number]), id, label });

  it('gives the baseline the first place wherever it stands, and unique labels', () => {
    expect(methodStyles({ baseline: 'dense', methods: [method('a', 'MoA'), method('dense', 'Dense'), method('b', 'MoA')] })).toEqual([
      { id: 'a', label: 'MoA (a)', index: 1 },
      { id: 'dense', label: 'Dense', index: 0 },
      { id: 'b', label: 'MoA (b)', index: 2 },
    ]);
  });
});

describe('plan charts', () => {
  const plan = recordsOf(syntheticRecords(syntheticSuite({ samples: 1, methods: ['dense', 'moa-25'] })), 'plan').find(
    (record) => record.method === 'moa-25',
  );
  const style = { id: 'moa-25', label: 'MoA 25%', index: 1 };

  it('maps every head, and the shares average to the density', () => {
    if (plan === undefined) throw new Error('no plan');
    const { rows } = spanMap(plan, style, 4096);
    expect(rows).toHaveLength(64);
    expect(rows.reduce((sum, row) => sum + Number(row.share), 0) / 64).toBeCloseTo(plan.plan.densities['4096'] ?? 0, 12);
  });

  it('draws one curve a distinct rule, together of all heads', () => {
    if (plan === undefined) throw new Error('no plan');
    const { rows } = elasticCurves(plan, style, 4096);
    const heads = new Map(rows.map((row) => [row.rule, Number(row.heads)]));
    expect(heads.size).toBe(4);
    expect([...heads.values()].reduce((a, b) => a + b, 0)).toBe(64);
    expect(rows.every((row) => Number(row.span) <= Math.ceil(Number(row.tokens) / 64) * 64)).toBe(true);
  });

  it('is a specification that compiles to Vega, with marks', () => {
    if (plan === undefined) throw new Error('no plan');
    expect(compileSpec(spanMap(plan, style, 4096).spec(lightTheme))).toMatchObject({ width: 280, marks: expect.any(Array) });
  });
});

describe('loadVegaRuntime', () => {
  it('is a browser build that fits into a script element', () => {
    const { source } = loadVegaRuntime();
    expect(source.length).toBeGreaterThan(100_000);
    expect(source).not.toMatch(/<\/script/i);
  });
});

describe('bars', () => {
  it('stand in order of context, then batch, not of their labels', () => {
    const speed = (length: number, batch: number) => ({
      ...{ length, batch, cache: 'ring' },
      tokensPerSecond: { estimate: 1, low: 1, high: 1, processes: 3, rounds: 9 },
    });
    const decode = [speed(16384, 1), speed(4096, 32), speed(4096, 4), speed(8192, 1)];
    const summary = { methods: [{ id: 'dense', decode, prefill: [], unfit: [] }] } as unknown as Parameters<typeof speedCharts>[0];
    const [chart] = speedCharts(summary, []);
    expect(JSON.stringify(chart?.spec(lightTheme))).toContain('"sort":["4k, batch 4","4k, batch 32","8k, batch 1","16k, batch 1"]');
  });

  it('say what did not fit into memory in the place of a bar', () => {
    const at = { length: 4096, batch: 30 };
    const decode = [{ ...at, cache: 'ring', tokensPerSecond: { estimate: 5, low: null, high: null, processes: 1, rounds: 2 } }];
    const unfit = [{ ...at, measure: 'decode', cache: 'dynamic', reason: 'Expected 3 GiB of KV cache' }];
    const methods = [
      { id: 'moa', decode, prefill: [], unfit: [] },
      { id: 'dense', decode: [], prefill: [], unfit },
    ];
    const [chart, ...others] = speedCharts({ methods } as unknown as Parameters<typeof speedCharts>[0], []);
    expect(others).toEqual([]); // nothing of prefill
    expect(chart?.rows).toMatchObject([
      { arm: 'moa', estimate: 5, note: '' },
      { arm: 'dense (growing cache)', estimate: 0, n: 0, note: 'does not fit into memory' },
    ]);
    const layers = JSON.stringify(chart?.spec(lightTheme));
    expect(layers).toContain('"type":"text"');
    expect(compileSpec(chart?.spec(lightTheme) ?? {})).toMatchObject({ marks: expect.any(Array) });
  });
});
