import { DEFAULT_SINK_TOKENS } from '../../core/blocks.ts';
import { suiteLengths } from '../../suite/lengths.ts';
import type { MethodOfSuite } from '../../suite/schema.ts';
import type { Method } from './method.ts';
import { planOfRules, sameRule } from './plan-of-rules.ts';

/** Full causal attention: the baseline that every ratio refers to. */
export const denseMethod: Method<MethodOfSuite<'dense'>> = {
  name: 'dense',
  key: () => ({}),
  compress: async ({ id }, { model, suite }) => {
    const rules = sameRule(model, { alpha: 0, beta: 1 });
    const plan = planOfRules({
      name: id,
      method: 'dense',
      model,
      ...rules,
      sink: DEFAULT_SINK_TOKENS,
      heterogeneity: null,
      lengths: suiteLengths(suite),
      provenance: {},
    });
    return { plan, profiles: [], front: null };
  },
};
