import { suiteLengths } from '../../suite/lengths.ts';
import type { MethodOfSuite } from '../../suite/schema.ts';
import type { Method } from './method.ts';
import { planOfRules, sameRule } from './plan-of-rules.ts';

/** One sink + window span for every head (StreamingLLM-style mask, absolute positions): a share of N, or fixed tokens. */
export const streamingMethod: Method<MethodOfSuite<'streaming'>> = {
  name: 'streaming',
  key: ({ density, sinkTokens, windowTokens }) => ({ density, sinkTokens, windowTokens }),
  compress: async (options, { model, suite }) => {
    const { density, sinkTokens, windowTokens = 0 } = options;
    const rule = density === undefined ? { alpha: sinkTokens + windowTokens, beta: 0 } : { alpha: 0, beta: density };
    const plan = planOfRules({
      name: options.id,
      method: 'streaming',
      model,
      ...sameRule(model, rule),
      sink: sinkTokens,
      heterogeneity: 'uniform',
      lengths: suiteLengths(suite),
      provenance: density === undefined ? {} : { budget: density },
    });
    return { plan, profiles: [], front: null };
  },
};
