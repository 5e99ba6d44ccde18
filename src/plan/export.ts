import { DEFAULT_SINK_TOKENS } from '../core/blocks.ts';
import { MoaError } from '../core/errors.ts';
import type { PublishedPlan } from './import.ts';
import type { Rule } from './rule.ts';
import type { Plan } from './schema.ts';
import { rulesOf } from './spans.ts';

/**
 * The plan in the released `{alphas, betas}` format, which has one rule for each query head. Every query head of a group gets the rule of
 * its KV head. Where the KV head has several rules, each of them goes to at least one query head, so that an import gets them all again.
 * @throws UNSUPPORTED for what the format cannot hold: a sink other than 64 tokens, or a KV head with more rules than query heads.
 */
export function exportPublished(plan: Plan): PublishedPlan {
  const { heads, kvHeads, layers } = plan.model;
  if (plan.sink !== DEFAULT_SINK_TOKENS) throw unsupported(`a sink of ${DEFAULT_SINK_TOKENS} tokens`, plan.sink);
  const perGroup = heads / kvHeads;
  const rules = rulesOf(plan).flatMap((own): Rule[] => {
    if (own.length > perGroup) throw unsupported(`at most ${perGroup} rules of a KV head, one a query head,`, own.length);
    return Array.from({ length: perGroup }, (_, i) => own[Math.min(i, own.length - 1)] as Rule);
  });
  const rows = Array.from({ length: layers }, (_, layer) => rules.slice(layer * heads, (layer + 1) * heads));
  return { alphas: rows.map((row) => row.map(({ alpha }) => alpha)), betas: rows.map((row) => row.map(({ beta }) => beta)) };
}

function unsupported(what: string, received: number): MoaError {
  return new MoaError(`Expected ${what} for a plan in the published format but received ${received}`, {
    code: 'UNSUPPORTED',
    hint: 'The published format holds alpha and beta of each query head and nothing else; keep the plan in the format of moabench.',
  });
}
