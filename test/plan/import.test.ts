import { describe, expect, it } from 'vitest';
import { exportPublished } from '../../src/plan/export.ts';
import { importPublished, readPublished } from '../../src/plan/import.ts';
import { rulesOf, spansAt } from '../../src/plan/spans.ts';
import { samplePlan } from './plans.ts';
import { published, publishedPath } from './published.ts';

/** Of the published plans: rounded densities at 4k, 8k and 16k; `cache` is the runtime's at a prompt of N with 1,024 reserved. */
const facts = [
  {
    file: 'lmsys--vicuna-7b-v1.5-16k.moa',
    layers: 32,
    heads: 32,
    rules: 9,
    raw: [0.4844, 0.4922, 0.4961],
    clip: [0.4844, 0.4922, 0.4961],
    opt: [0.5, 0.5, 0.5],
    cache: [0.609, 0.555, 0.527],
  },
  {
    file: 'lmsys--vicuna-13b-v1.5-16k.moa',
    layers: 40,
    heads: 40,
    rules: 15,
    raw: [0.4844, 0.4841, 0.484],
    clip: [0.4844, 0.4841, 0.484],
    opt: [0.5, 0.492, 0.4879],
    cache: [0.605, 0.545, 0.514],
  },
  {
    file: 'gradientai--Llama-3-8B-Instruct-262k.moa',
    layers: 32,
    heads: 32,
    rules: 11,
    raw: [0.4865, 0.4918, 0.4945],
    clip: [0.4845, 0.4918, 0.4945],
    opt: [0.4997, 0.4996, 0.4984],
    cache: [0.611, 0.554, 0.526],
  },
  {
    file: 'gradientai--Llama-3-70B-Instruct-262k.moa',
    layers: 80,
    heads: 64,
    rules: 17,
    raw: [0.5083, 0.4914, 0.483],
    clip: [0.4879, 0.4914, 0.483],
    opt: [0.5, 0.4975, 0.4866],
    cache: [0.612, 0.551, 0.513],
  },
  {
    file: 'meta-llama--Llama-3.2-1B-Instruct.moa',
    layers: 16,
    heads: 32,
    rules: 11,
    raw: [0.5229, 0.4836, 0.464],
    clip: [0.4858, 0.4836, 0.464],
    opt: [0.4998, 0.4908, 0.4679],
    cache: [0.606, 0.539, 0.492],
  },
  {
    file: 'meta-llama--Llama-3.2-3B-Instruct.moa',
    layers: 28,
    heads: 24,
    rules: 15,
    raw: [0.5102, 0.4676, 0.4463],
    clip: [0.4866, 0.4676, 0.4463],
    opt: [0.5, 0.4749, 0.4501],
    cache: [0.604, 0.521, 0.473],
  },
];
const uniform = [
  ['lmsys--vicuna-7b-v1.5-16k', 32, 32],
  ['lmsys--vicuna-13b-v1.5-16k', 40, 40],
  ['gradientai--Llama-3-8B-Instruct-262k', 32, 32],
  ['gradientai--Llama-3-70B-Instruct-262k', 80, 64],
  ['meta-llama--Llama-3.2-1B-Instruct', 16, 32],
  ['meta-llama--Llama-3.2-3B-Instruct', 28, 24],
].map(([model, layers, heads]) => ({
  file: `${model}.streamingllm`,
  layers: layers as number,
  heads: heads as number,
  rules: 1,
  raw: [0.5, 0.5, 0.5],
  clip: [0.5, 0.5, 0.5],
  opt: [0.5156, 0.5078, 0.5039],
  cache: [0.625, 0.5625, 0.531],
}));
const lengths = [4096, 8192, 16384];

describe('published plans', () => {
  it.each([...facts, ...uniform])('$file has the densities and rules that are known of it', ({ file, layers, heads, ...known }) => {
    const { plan, tax } = published(file, { layers, heads }, lengths);
    const rules = rulesOf(plan).map(([rule]) => rule);
    expect(new Set(rules.map(({ alpha, beta }) => `${alpha},${beta}`)).size).toBe(known.rules);
    const mean = (density: (alpha: number, beta: number) => number): number =>
      rules.reduce((sum, { alpha, beta }) => sum + density(alpha, beta), 0) / rules.length;
    lengths.forEach((n, i) => {
      expect(mean((alpha, beta) => (alpha + beta * n) / n)).toBeCloseTo(known.raw[i] as number, 4);
      expect(mean((alpha, beta) => Math.max(0, Math.min(n, alpha + beta * n)) / n)).toBeCloseTo(known.clip[i] as number, 4);
      // The released optimizer counts one block more than its runtime keeps (docs/method.md, differences).
      const optimizer = (alpha: number, beta: number): number =>
        Math.min(Math.max(1, Math.trunc(Math.floor(alpha / 64) + (beta * n) / 64)) + 1, n / 64) / (n / 64);
      expect(mean(optimizer)).toBeCloseTo(known.opt[i] as number, 4);
      expect(spansAt(plan, n + 1024).reduce((sum, span) => sum + span, 0) / (rules.length * n)).toBeCloseTo(known.cache[i] as number, 3);
    });
    expect(tax).toMatchObject({ groups: layers * heads, disagree: 0, cross: 0 });
  });

  it.each([...facts, ...uniform])('$file comes out as it went in', ({ file, layers, heads }) => {
    const { plan } = published(file, { layers, heads }, lengths);
    expect(exportPublished(plan)).toEqual(readPublished(publishedPath(file)));
  });

  // Groups whose heads share one rule, and the density of the group's largest span at 4k, 8k and 16k.
  it.each([
    {
      file: 'gradientai--Llama-3-8B-Instruct-262k.moa',
      layers: 32,
      heads: 32,
      kvHeads: 8,
      agree: 120,
      groups: 256,
      largest: [0.616, 0.655, 0.673],
    },
    {
      file: 'gradientai--Llama-3-70B-Instruct-262k.moa',
      layers: 80,
      heads: 64,
      kvHeads: 8,
      agree: 301,
      groups: 640,
      largest: [0.662, 0.661, 0.642],
    },
    {
      file: 'meta-llama--Llama-3.2-1B-Instruct.moa',
      layers: 16,
      heads: 32,
      kvHeads: 8,
      agree: 48,
      groups: 128,
      largest: [0.658, 0.659, 0.633],
    },
    {
      file: 'meta-llama--Llama-3.2-3B-Instruct.moa',
      layers: 28,
      heads: 24,
      kvHeads: 8,
      agree: 147,
      groups: 224,
      largest: [0.575, 0.551, 0.525],
    },
  ])('$file pays the known tax for shared KV heads', ({ file, layers, heads, kvHeads, agree, groups, largest }) => {
    const { plan, tax } = published(file, { layers, heads, kvHeads }, lengths);
    const perHead = published(file, { layers, heads }, lengths).plan;
    expect(tax).toMatchObject({ groups, disagree: groups - agree });
    lengths.forEach((tokens, i) => {
      expect(tax.densities[tokens]?.imported).toBeCloseTo(largest[i] as number, 3);
      expect(tax.densities[tokens]?.increase).toBeCloseTo((plan.densities[tokens] ?? 0) - (perHead.densities[tokens] ?? 0), 12);
    });
    // At the lengths that are stated and at any other, a group has the largest span of its query heads.
    for (const tokens of [1025, ...lengths, 17_408, 131_072]) {
      const own = spansAt(perHead, tokens);
      const perGroup = heads / kvHeads;
      expect(spansAt(plan, tokens)).toEqual(
        Int32Array.from({ length: layers * kvHeads }, (_, g) => Math.max(...own.subarray(g * perGroup, (g + 1) * perGroup))),
      );
    }
    const again = importPublished(exportPublished(plan), {
      name: plan.name,
      model: plan.model,
      lengths,
      source: plan.provenance.source ?? '',
    });
    expect(again.plan.rules).toEqual(plan.rules);
  });

  it('is no export of a sink that the format cannot hold', () => {
    expect(() => exportPublished(samplePlan({ sink: 0 }))).toThrow(
      /Expected a sink of 64 tokens for a plan in the published format but received 0/,
    );
    const rules = { ...samplePlan().rules, further: [1, 2].map((k) => ({ layer: 0, head: 0, alpha: 64 * k, beta: 0.1 * k })) };
    expect(() => exportPublished(samplePlan({ rules }))).toThrow(/Expected at most 2 rules of a KV head, one a query head, .* received 3/);
  });

  it('spreads rows of one rule, and refuses another shape by name', () => {
    const model = { name: 'm', weightsHash: null, layers: 2, heads: 4, kvHeads: 2, headDim: 64 };
    const options = { name: 'p', model, lengths: [4096], source: 'p.json' };
    const { plan } = importPublished({ alphas: [[0], [64]], betas: [[0.5], [0.25]] }, options);
    expect(plan.rules).toEqual({
      alpha: [
        [0, 0],
        [64, 64],
      ],
      beta: [
        [0.5, 0.5],
        [0.25, 0.25],
      ],
    });
    expect(() => importPublished({ alphas: [[0]], betas: [[0.5]] }, options)).toThrow(/2 layers for alphas in p\.json but received 1/);
    expect(() => importPublished({ alphas: [[0], [0]], betas: [[0.5], [1, 1]] }, options)).toThrow(
      /4 query heads .* for betas\.1 .* received 2/,
    );
    expect(() => importPublished({ alphas: [[0]], betas: [[0.5]] }, { ...options, model: { ...model, kvHeads: 3 } })).toThrow(
      /divisor of 4 heads/,
    );
  });
});
