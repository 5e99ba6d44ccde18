import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { loadPlan, parsePlan, planHash, savePlan } from '../../src/plan/file.ts';
import { importPublished, readPublished } from '../../src/plan/import.ts';
import type { Plan } from '../../src/plan/schema.ts';
import { errorOf } from '../error-of.ts';
import { samplePlan } from './plans.ts';

const folder = mkdtempSync(join(tmpdir(), 'plan-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('plan files', () => {
  it('come back as they were saved, with one line a layer and nothing else in the folder', () => {
    const path = join(folder, 'deep', 'plan.json');
    const plan = samplePlan({ provenance: { createdBy: 'test', gap: 0.001, losses: { 2048: 0.5 }, constraintLengths: [1024, 2048] } });
    savePlan(path, plan);
    expect(loadPlan(path)).toEqual(plan);
    expect(planHash(loadPlan(path))).toBe(planHash(plan));
    expect(readFileSync(path, 'utf8')).toContain('[-512, 0]');
    expect(readdirSync(join(folder, 'deep'))).toEqual(['plan.json']);
  });

  it.each([
    ['version', { version: 2 }, /plan\.json but received 2 for version/],
    ['an unknown field', { colour: 'red' }, /one key is unknown here/],
    ['a missing layer', { rules: { alpha: [[0, 0]], beta: samplePlan().rules.beta } }, /rules\.alpha: Expected 2 layers but received 1/],
    [
      'a missing head',
      { rules: { alpha: [[0, 0], [0]], beta: samplePlan().rules.beta } },
      /rules\.alpha\.1: Expected 2 KV heads but received 1/,
    ],
    [
      'text for a number',
      {
        rules: {
          alpha: [
            [0, 'x'],
            [0, 0],
          ],
          beta: samplePlan().rules.beta,
        },
      },
      /received text of 1 characters for rules\.alpha\.0\.1/,
    ],
    [
      'a further rule of no head',
      { rules: { ...samplePlan().rules, further: [{ layer: 1, head: 2, alpha: 0, beta: 1 }] } },
      /rules\.further\.0: Expected a layer below 2 and a KV head below 2/,
    ],
    ['a sink of no blocks', { sink: 63 }, /received 63 for sink/],
    ['query heads that do not divide', { model: { ...samplePlan().model, heads: 5 } }, /model\.kvHeads: Expected a divisor of the 5 heads/],
    ['a density above 1', { densities: { 1024: 1.5 } }, /received 1\.5 for densities\.1024/],
    ['a length that is none', { densities: { long: 0.5 } }, /densities/],
    ['a dense plan with short spans', { method: 'dense' }, /for method/],
  ])('refuses %s by file, field and value', (_, over, message) => {
    const error = errorOf(() => parsePlan({ ...samplePlan(), ...over }, 'plan.json'));
    expect(error.code).toBe('INVALID_FILE');
    expect(error.message).toMatch(message);
  });

  it('names a missing file, text that is no JSON, and refuses to save what is no plan', () => {
    expect(errorOf(() => loadPlan(join(folder, 'none.json')))).toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining('none.json'),
    });
    const path = join(folder, 'broken.json');
    writeFileSync(path, '{"format": "moabench-plan",');
    expect(errorOf(() => loadPlan(path))).toMatchObject({ code: 'INVALID_FILE', message: expect.stringContaining('broken.json') });
    expect(errorOf(() => savePlan(join(folder, 'bad.json'), { ...samplePlan(), sink: 1 } as Plan)).code).toBe('INVALID_FILE');
    expect(readdirSync(folder)).not.toContain('bad.json');
  });

  it('give a typed error or a plan whatever is in them', () => {
    const path = join(folder, 'fuzz.json');
    const mutated = fc
      .tuple(fc.constantFrom(...Object.keys(samplePlan())), fc.jsonValue())
      .map(([key, value]) => ({ ...samplePlan(), [key]: value }));
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          mutated.map((value) => JSON.stringify(value)),
        ),
        (content) => {
          writeFileSync(path, content);
          for (const read of [() => loadPlan(path), () => readPublished(path)]) {
            try {
              read();
            } catch (error) {
              expect(error).toMatchObject({ name: 'MoaError', code: 'INVALID_FILE', message: expect.stringContaining('fuzz.json') });
            }
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it('in the published format with ragged rows name the row', () => {
    const path = join(folder, 'ragged.json');
    writeFileSync(
      path,
      JSON.stringify({
        alphas: [[0, 0, 0, 0], [0]],
        betas: [
          [1, 1, 1, 1],
          [1, 1],
        ],
      }),
    );
    const options = { name: 'p', model: samplePlan().model, lengths: [1024], source: path };
    expect(errorOf(() => importPublished(readPublished(path), options)).message).toMatch(/betas\.1 in .*ragged\.json but received 2/);
  });
});

describe('a file of the other format', () => {
  const published = 'test/fixtures/plans/gradientai--Llama-3-8B-Instruct-262k.moa.json';

  it('is told from a plan, with the command that converts it', () => {
    expect(errorOf(() => loadPlan(published))).toMatchObject({
      code: 'INVALID_FILE',
      hint: expect.stringContaining(`moabench plan convert ${published} --kv-heads <n>`),
    });
  });

  it('is told from a published plan', () => {
    const own = join(folder, 'own.json');
    savePlan(own, samplePlan());
    expect(errorOf(() => readPublished(own)).hint).toContain('plan inspect');
  });
});
