import { z } from 'zod';
import { BLOCK_TOKENS, ceilToBlock, DEFAULT_SINK_TOKENS } from '../core/blocks.ts';
import { MoaError } from '../core/errors.ts';
import { readJsonAs } from '../core/json-file.ts';
import { type HeadRules, type Rule, ruleKey } from './rule.ts';
import type { ImportTax, Plan } from './schema.ts';
import { densitiesAt, spanOfRule } from './spans.ts';
import { upperRules } from './upper-rules.ts';

const matrix = z
  .array(
    z
      .array(
        z
          .number()
          .min(-(2 ** 30))
          .max(2 ** 30),
      )
      .min(1),
  )
  .min(1);
/** The released format: [layers][query heads], tokens and ratio, no metadata (docs/adr/0004-plan-format.md). */
const publishedPlanSchema = z.object({ alphas: matrix, betas: matrix });
export type PublishedPlan = z.infer<typeof publishedPlanSchema>;

export interface ImportOptions {
  readonly name: string;
  readonly model: Plan['model'];
  /** Lengths at which densities are stated. */
  readonly lengths: readonly number[];
  /** File or URL, for errors and provenance. */
  readonly source: string;
}

export interface ImportedPlan {
  readonly plan: Plan;
  /** What sharing KV heads costs; also in the plan's provenance. */
  readonly tax: ImportTax;
}

/** A published plan from a file. Errors: NOT_FOUND, IO, INVALID_FILE naming file, field and value. */
export function readPublished(path: string): PublishedPlan {
  return readJsonAs(publishedPlanSchema, path, {
    what: 'a published plan {alphas, betas}',
    hint: "A plan of moabench's own format needs no import; `moabench plan inspect` reads it, and --to published exports it.",
  });
}

/**
 * A plan from the published format, whose rules are per query head: every KV head has, at every length, the largest span of the query heads
 * of its contiguous group. For this it keeps several of their rules where the rules cross. A row with a single rule (`same_per_layer`)
 * holds for all heads.
 * @throws INVALID_FILE when the shape is not the model's.
 */
export function importPublished(published: PublishedPlan, options: ImportOptions): ImportedPlan {
  const { model, lengths } = options;
  const rules = queryHeadRules(published, options);
  const perGroup = model.heads / model.kvHeads;
  const joined = rules.map((row) =>
    Array.from({ length: model.kvHeads }, (_, k) => groupOf(row.slice(k * perGroup, (k + 1) * perGroup) as unknown as HeadRules)),
  );
  const further = joined.flatMap((row, layer) =>
    row.flatMap(({ upper }, head) => upper.slice(1).map((rule) => ({ layer, head, ...rule }))),
  );
  const plan: Plan = {
    format: 'moabench-plan',
    version: 1,
    name: options.name,
    method: 'imported',
    model,
    block: BLOCK_TOKENS,
    sink: DEFAULT_SINK_TOKENS, // the released runtime has no other
    heterogeneity: null,
    rules: {
      alpha: joined.map((row) => row.map(({ upper }) => upper[0].alpha)),
      beta: joined.map((row) => row.map(({ upper }) => upper[0].beta)),
      ...(further.length === 0 ? {} : { further }),
    },
    densities: {},
    provenance: { createdBy: 'moabench import', source: options.source },
  };
  const densities = densitiesAt(plan, lengths);
  const tax: ImportTax = {
    group: 'envelope',
    groups: model.layers * model.kvHeads,
    disagree: joined.flat().filter(({ distinct }) => distinct > 1).length,
    cross: joined.flat().filter(({ upper }) => upper.length > 1).length,
    densities: Object.fromEntries(
      lengths.map((tokens) => {
        const before = publishedDensity(rules.flat(), tokens);
        const after = densities[tokens] as number;
        return [String(tokens), { published: before, imported: after, increase: after - before }];
      }),
    ),
  };
  return { plan: { ...plan, densities, provenance: { ...plan.provenance, tax } }, tax };
}

/** The rules that serve a group, and how many different ones its query heads had. */
function groupOf(rules: HeadRules): { readonly upper: HeadRules; readonly distinct: number } {
  return { upper: upperRules(rules), distinct: new Set(rules.map(ruleKey)).size };
}

/** Mean density over query heads, each with its own span. */
function publishedDensity(rules: readonly Rule[], tokens: number): number {
  return rules.reduce((sum, rule) => sum + spanOfRule(rule, tokens, DEFAULT_SINK_TOKENS), 0) / (rules.length * ceilToBlock(tokens));
}

function queryHeadRules(published: PublishedPlan, options: ImportOptions): Rule[][] {
  const { layers, heads, kvHeads } = options.model;
  if (heads % kvHeads !== 0) {
    throw new MoaError(`Expected a divisor of ${heads} heads for model.kvHeads but received ${kvHeads}`, { code: 'INVALID_ARGUMENT' });
  }
  const wrong = (field: string, what: string, received: number): MoaError =>
    new MoaError(`Expected ${what} for ${field} in ${options.source} but received ${received}`, {
      code: 'INVALID_FILE',
      hint: 'The plan was made for another model.',
    });
  for (const name of ['alphas', 'betas'] as const) {
    if (published[name].length !== layers) throw wrong(name, `${layers} layers`, published[name].length);
  }
  return published.alphas.map((alphas, layer) => {
    const betas = published.betas[layer] as number[];
    for (const [name, row] of [['alphas', alphas] as const, ['betas', betas] as const]) {
      if (row.length !== heads && row.length !== 1) throw wrong(`${name}.${layer}`, `${heads} query heads (or 1 for all)`, row.length);
    }
    return Array.from({ length: heads }, (_, h) => ({ alpha: (alphas[h] ?? alphas[0]) as number, beta: (betas[h] ?? betas[0]) as number }));
  });
}
