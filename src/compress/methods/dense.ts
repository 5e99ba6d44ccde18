import { densePlan } from '../../plan/uniform.ts';
import type { MethodOfSuite } from '../../suite/schema.ts';
import type { Method } from './method.ts';

/** Full causal attention: the baseline that every ratio refers to. */
export const denseMethod: Method<MethodOfSuite<'dense'>> = {
  name: 'dense',
  key: () => ({}),
  compress: async (options, { model }) => ({ plan: densePlan(options.id, model), profiles: [], front: null }),
};
