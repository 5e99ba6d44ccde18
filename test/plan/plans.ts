import type { Plan } from '../../src/plan/schema.ts';

/** A small valid plan of 2 layers x 2 KV heads (4 query heads), with parts replaced. */
export function samplePlan(over: Partial<Plan> = {}): Plan {
  return {
    format: 'moabench-plan',
    version: 1,
    name: 'sample',
    method: 'moa',
    model: { name: 'tiny', weightsHash: null, layers: 2, kvHeads: 2, heads: 4, headDim: 16 },
    block: 64,
    sink: 64,
    heterogeneity: 'elastic',
    rules: {
      alpha: [
        [0, 512],
        [-512, 0],
      ],
      beta: [
        [0.5, 0],
        [0.75, 1],
      ],
    },
    densities: {},
    provenance: { createdBy: 'test' },
    ...over,
  };
}
