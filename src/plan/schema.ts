import { z } from 'zod';
import { BLOCK_TOKENS } from '../core/blocks.ts';
import { semanticsSchema } from '../suite/semantics.ts';

const count = z.int().min(1).max(65_536);
const tokensKey = z.string().regex(/^[1-9]\d{0,9}$/, { error: 'Expected a length in tokens' });
const byTokens = z.record(tokensKey, z.number());
const ratio = z.number().min(0).max(1);
/** [layers][kvHeads]; the bounds only keep arithmetic exact, lint judges the values. */
const matrix = (limit: number) => z.array(z.array(z.number().min(-limit).max(limit)).min(1)).min(1);

/** What the import of a plan per query head cost: the density at each length before and after its heads were made to share KV heads. */
const taxSchema = z.strictObject({
  /**
   * `envelope`: a group keeps the largest of its rules at every length. `max`: the group got one rule, which is the largest at the lengths
   * that were compared and may be too small at others. Plans that were imported before 0.2 have `max`.
   */
  group: z.enum(['envelope', 'max']),
  groups: count,
  /** Groups whose query heads had different rules. */
  disagree: z.int().min(0),
  /** Of these, groups in which no rule is the largest at every length. */
  cross: z.int().min(0),
  /** `published`: the mean over query heads. `imported`: the mean over the KV heads that now serve them. */
  densities: z.record(tokensKey, z.strictObject({ published: ratio, imported: ratio, increase: z.number() })),
});

const furtherRule = z.strictObject({
  layer: z.int().min(0),
  head: z.int().min(0).describe('KV head.'),
  alpha: z
    .number()
    .min(-(2 ** 30))
    .max(2 ** 30),
  beta: z.number().min(-1024).max(1024),
});
/** Far above any plan: 128 layers with 128 KV heads of 16 rules each. */
const MAX_FURTHER = 262_144;

/** Where a plan comes from. Everything but the creator is optional, since plans are also written by hand and imported. */
const provenanceSchema = z.strictObject({
  createdBy: z.string().min(1),
  /** File or URL that it was imported from. */
  source: z.string().optional(),
  calibrationHash: z.string().optional(),
  /** Profile length -> content hash of the influence profile. */
  profileHashes: z.record(tokensKey, z.string()).optional(),
  criterion: z.enum(['moa', 'joint']).optional(),
  /** How it was made, where that differs from the released code or could have. */
  semantics: semanticsSchema.optional(),
  /** The objective that was minimized, e.g. `loss at 4096 tokens`. */
  objective: z.string().optional(),
  /** Profile length -> predicted loss increase, nats. */
  losses: byTokens.optional(),
  /** Length and loss (nats) of the validation that chose the plan from its Pareto front. */
  validation: z.strictObject({ length: count.max(2 ** 30), loss: z.number(), samples: count }).optional(),
  solver: z.string().optional(),
  /** Proven distance to the optimum, (value - bound) as a share of the larger of the two. */
  gap: z.number().min(0).optional(),
  budget: ratio.optional(),
  lowerFraction: ratio.optional(),
  constraintLengths: z.array(z.int().min(1)).optional(),
  rulesPerLayer: count.optional(),
  seed: z.int().optional(),
  tax: taxSchema.optional(),
});

const modelSchema = z.strictObject({
  name: z.string().min(1),
  weightsHash: z.string().nullable(),
  layers: count,
  kvHeads: count,
  heads: count,
  headDim: count,
});

/** THE artefact that compression hands on: one rule per layer and KV head, and where it came from. */
export const planSchema = z
  .strictObject({
    format: z.literal('moabench-plan'),
    version: z.literal(1),
    name: z.string().min(1).max(200),
    method: z.enum(['dense', 'streaming', 'moa', 'imported']),
    model: modelSchema,
    /** Tokens of a block; spans are whole blocks. */
    block: z.literal(BLOCK_TOKENS),
    /** Tokens at the start that are never evicted, part of the span. */
    sink: z.int().min(0).max(1_048_576).multipleOf(BLOCK_TOKENS),
    heterogeneity: z.enum(['uniform', 'layers', 'heads', 'elastic']).nullable(),
    rules: z.strictObject({
      /** span(N) = alpha + beta * N tokens, [layers][kvHeads]. */
      alpha: matrix(2 ** 30),
      beta: matrix(1024),
      /** Further rules of some heads. The span of a head is the largest span of all its rules. Absent where every head has one rule. */
      further: z.array(furtherRule).max(MAX_FURTHER).optional(),
    }),
    /** Length in tokens -> share of the dense KV slots. */
    densities: z.record(tokensKey, ratio),
    provenance: provenanceSchema,
  })
  .superRefine((plan, ctx) => {
    const { layers, kvHeads, heads } = plan.model;
    if (heads % kvHeads !== 0) {
      ctx.addIssue({ code: 'custom', path: ['model', 'kvHeads'], message: `Expected a divisor of the ${heads} heads` });
    }
    for (const name of ['alpha', 'beta'] as const) {
      const rows = plan.rules[name];
      if (rows.length !== layers) {
        ctx.addIssue({ code: 'custom', path: ['rules', name], message: `Expected ${layers} layers but received ${rows.length}` });
      }
      rows.forEach((row, layer) => {
        if (row.length !== kvHeads) {
          ctx.addIssue({
            code: 'custom',
            path: ['rules', name, layer],
            message: `Expected ${kvHeads} KV heads but received ${row.length}`,
          });
        }
      });
    }
    plan.rules.further?.forEach(({ layer, head }, i) => {
      if (layer < layers && head < kvHeads) return;
      ctx.addIssue({
        code: 'custom',
        path: ['rules', 'further', i],
        message: `Expected a layer below ${layers} and a KV head below ${kvHeads}`,
      });
    });
    if (plan.method === 'dense' && !(plan.rules.alpha.flat().every((a) => a >= 0) && plan.rules.beta.flat().every((b) => b >= 1))) {
      ctx.addIssue({ code: 'custom', path: ['method'], message: 'Expected alpha >= 0 and beta >= 1 everywhere in a dense plan' });
    }
  });

/** A checked plan: see `planSchema` for its fields. */
export type Plan = z.infer<typeof planSchema>;
export type Provenance = Plan['provenance'];
export type ImportTax = z.infer<typeof taxSchema>;
export type Heterogeneity = NonNullable<Plan['heterogeneity']>;
