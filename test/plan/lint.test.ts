import { describe, expect, it } from 'vitest';
import { lintPlan } from '../../src/plan/lint.ts';
import { samplePlan } from './plans.ts';
import { published } from './published.ts';

const rules = (alpha: number, beta: number) => ({
  alpha: [
    [alpha, 0],
    [0, alpha],
  ],
  beta: [
    [beta, 0.5],
    [0.5, beta],
  ],
});
const codes = (...args: Parameters<typeof lintPlan>): string[] => lintPlan(...args).map(({ code }) => code);

describe('lintPlan', () => {
  it('has nothing to say about a plain plan', () => {
    expect(lintPlan(samplePlan({ rules: rules(0, 0.25), densities: { 1024: 0.375, 4096: 0.375 } }))).toEqual([]);
  });

  it.each([
    ['negative-span', rules(-2048, 0.5), [2048, 8192]],
    ['span-below-minimum', rules(0, 0.0625), [1024]],
    ['span-above-length', rules(2048, 0), [1024]],
    ['window-not-block', rules(100, 0.25), [1024]],
    ['density-drift', rules(1024, 0), [1024, 8192]],
  ])('finds %s', (code, of, lengths) => {
    expect(codes(samplePlan({ rules: of }), { lengths })).toContain(code);
    expect(codes(samplePlan({ rules: rules(0, 0.25) }), { lengths })).not.toContain(code);
  });

  it('says where a span is odd first, and how often', () => {
    const found = lintPlan(samplePlan({ rules: rules(-2048, 0.5) }), { lengths: [2048, 16384] }).find(
      ({ code }) => code === 'negative-span',
    );
    expect(found).toEqual({
      severity: 'error',
      code: 'negative-span',
      message: 'A span is zero or negative: layer 0, KV head 0: -2048 + 0.5 N = -1024 at N = 2048, and 1 more',
    });
  });

  it('finds densities that the rules do not have, models that do not fit, and layers with too many or one rule', () => {
    const plan = samplePlan({ rules: rules(0, 0.25), densities: { 1024: 0.5 } });
    expect(codes(plan)[0]).toBe('stale-density');
    expect(codes(plan, { model: { ...plan.model, headDim: 128, layers: 3 } }).filter((code) => code === 'model-mismatch')).toHaveLength(2);
    expect(codes(plan, { rulesPerLayer: 1 })).toContain('too-many-rules');
    expect(codes(samplePlan({ rules: rules(0, 0.5) }))).toContain('uniform-layer');
    expect(codes(samplePlan({ rules: rules(0, 0.5), heterogeneity: 'uniform' }))).not.toContain('uniform-layer');
  });

  it('finds groups that disagree in an imported plan', () => {
    const { plan } = published('meta-llama--Llama-3.2-1B-Instruct.moa', { layers: 16, heads: 32, kvHeads: 8 }, [4096, 8192]);
    expect(lintPlan(plan).find(({ code }) => code === 'group-disagreement')?.message).toMatch(
      /^80 of 128 groups .* adds up to 0\.\d+ density$/,
    );
    expect(codes(plan)).not.toContain('group-too-small');
  });

  it('tells an imported plan whose groups were joined at named lengths only', () => {
    const { plan } = published('meta-llama--Llama-3.2-1B-Instruct.moa', { layers: 16, heads: 32, kvHeads: 8 }, [4096, 8192]);
    const { tax } = plan.provenance;
    if (tax === undefined) throw new Error('an import has a tax');
    const older = { ...plan, provenance: { ...plan.provenance, tax: { ...tax, group: 'max' as const } } };
    expect(lintPlan(older).find(({ code }) => code === 'group-too-small')?.message).toMatch(/compared at N = 4096, 8192 only/);
  });
});
