import { BLOCK_TOKENS, DEFAULT_SINK_TOKENS } from '../../core/blocks.ts';
import { Rng } from '../../core/rng.ts';
import type { Rule } from '../../plan/rule.ts';
import { spanOfRule } from '../../plan/spans.ts';

export interface SyntheticOptions {
  readonly seed: string | number;
  readonly layers: number;
  readonly kvHeads: number;
  readonly profileLengths: readonly number[];
  readonly rules: readonly Rule[];
}

/**
 * Loss tables that look like those of influence profiles, for benches and tests of the optimizer at any model size. Heads differ in weight
 * by orders of magnitude (log-normal) and in reach: the loss of masking everything beyond distance s is weight * exp(-(s / reach)^shape),
 * where a head's reach is an absolute distance (local heads) or a share of N (global heads) or between, so that elastic rules matter.
 */
export function syntheticLossTables(options: SyntheticOptions): Map<number, Float64Array> {
  const { layers, kvHeads, profileLengths, rules } = options;
  const rng = new Rng(options.seed);
  const heads = Array.from({ length: layers * kvHeads }, (_, i) => {
    const own = rng.fork(i);
    const layerWeight = Math.exp(0.7 * rng.fork(`layer-${Math.floor(i / kvHeads)}`).normal());
    return {
      weight: layerWeight * Math.exp(1.6 * own.normal()) * 1e-3,
      growth: 0.3 * own.normal(),
      reach: BLOCK_TOKENS * Math.exp(1.2 + 1.3 * own.normal()),
      share: 0.35 * own.random() ** 2,
      shape: 0.5 + 0.8 * own.random(),
    };
  });
  return new Map(
    profileLengths.map((tokens) => {
      const table = new Float64Array(heads.length * rules.length);
      heads.forEach(({ weight, growth, reach, share, shape }, i) => {
        const distance = reach + share * tokens;
        const scale = weight * (tokens / 4096) ** growth;
        rules.forEach((rule, r) => {
          const span = spanOfRule(rule, tokens, DEFAULT_SINK_TOKENS);
          table[i * rules.length + r] =
            span >= tokens ? 0 : scale * (Math.exp(-((span / distance) ** shape)) - Math.exp(-((tokens / distance) ** shape)));
        });
      });
      return [tokens, table] as const;
    }),
  );
}
