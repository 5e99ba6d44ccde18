import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseModelConfig } from '../../../src/model/format/config.ts';
import { ropeFrequencies } from '../../../src/model/inference/rope-frequencies.ts';
import { GOLDENS, relativeError } from '../golden-model.ts';

interface RopeCase {
  readonly config: Record<string, unknown>;
  readonly tokens: number;
  readonly inverseFrequencies: readonly number[];
  readonly attentionFactor: number;
}
const { cases } = JSON.parse(readFileSync(`${GOLDENS}rope.json`, 'utf8')) as { cases: readonly RopeCase[] };

describe('ropeFrequencies equals transformers', () => {
  test.each(cases.map((c) => ({ ...c, title: JSON.stringify([c.config.rope_scaling ?? c.config.rope_parameters ?? 'plain', c.tokens]) })))(
    '$title',
    ({ config, tokens, inverseFrequencies, attentionFactor }) => {
      const actual = ropeFrequencies(parseModelConfig(config, 'config.json'), tokens);
      // Every frequency by its own size: transformers computes them in float32, so a few units in the last place remain.
      const ratios = Float64Array.from(actual.inverseFrequencies, (f, i) => f / (inverseFrequencies[i] ?? Number.NaN));
      expect(relativeError(ratios, new Float64Array(inverseFrequencies.length).fill(1))).toBeLessThan(2e-6);
      expect(actual.attentionFactor).toBeCloseTo(attentionFactor, 12);
    },
  );
});
