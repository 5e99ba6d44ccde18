import { uniformPlan } from '../../plan/uniform.ts';
import type { MethodOfSuite } from '../../suite/schema.ts';
import type { Method } from './method.ts';

/** One sink + window span for every head (StreamingLLM-style mask, absolute positions): a share of N, or fixed tokens. */
export const streamingMethod: Method<MethodOfSuite<'streaming'>> = {
  name: 'streaming',
  key: ({ density, sinkTokens, windowTokens }) => ({ density, sinkTokens, windowTokens }),
  compress: async (options, { model }) => {
    const rule =
      options.density === undefined
        ? { alpha: options.sinkTokens + (options.windowTokens ?? 0), beta: 0 }
        : { alpha: 0, beta: options.density };
    return { plan: uniformPlan(options.id, model, rule, options.sinkTokens), profiles: [], front: null };
  },
};
