import type { PublishedPlan } from './import.ts';
import type { Plan } from './schema.ts';

/** The plan in the released `{alphas, betas}` format: per query head, every head of a group with its KV head's rule. */
export function exportPublished(plan: Plan): PublishedPlan {
  const perGroup = plan.model.heads / plan.model.kvHeads;
  const spread = (rows: readonly (readonly number[])[]): number[][] =>
    rows.map((row) => row.flatMap((v) => new Array<number>(perGroup).fill(v)));
  return { alphas: spread(plan.rules.alpha), betas: spread(plan.rules.beta) };
}
