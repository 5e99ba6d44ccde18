import { z } from 'zod';
import { BLOCK_TOKENS, DEFAULT_SINK_TOKENS } from '../core/blocks.ts';
import { checkAcross, defaultBaseline } from './across-parts.ts';
import { choiceSchemas as choices, withSemantics } from './semantics.ts';

/** A context length in tokens that the harness accepts; spans are whole blocks of 64 tokens, and MoA's smallest span is 128. */
const lengthTokens = z.int().min(128).max(4_194_304);
const lengths = z.array(lengthTokens).min(1).refine(isAscending, { error: 'Expected ascending, distinct lengths' });
const taskName = z.string().regex(/^[a-z0-9][a-z0-9_.-]*$/i, { error: 'Expected a task name (letters, digits, "_", "-", ".")' });
const tasks = z.array(taskName).min(1).refine(isDistinct, { error: 'Expected distinct tasks' });
const count = z.int().min(1).max(1_000_000);
const inUnit = { error: 'Expected a number in (0, 1]' };
const density = z.number(inUnit).gt(0, inUnit).max(1, inUnit).describe('Share of the dense KV bytes, in (0, 1].');
const blocks = z.int().min(0).multipleOf(BLOCK_TOKENS);
const methodId = z.string().regex(/^[a-z0-9][a-z0-9._-]*$/, { error: 'Expected lower-case letters, digits, ".", "_" or "-"' });
const methodCommon = { id: methodId.describe('Unique; names the method in records and reports.'), label: z.string().min(1).optional() };

const denseMethod = z.strictObject({ ...methodCommon, method: z.literal('dense') }).describe('Full causal attention, nothing evicted.');

const streamingMethod = z
  .strictObject({
    ...methodCommon,
    method: z.literal('streaming'),
    density: density.optional(),
    sinkTokens: blocks.default(DEFAULT_SINK_TOKENS).describe('Tokens at the start that are never evicted.'),
    windowTokens: blocks.min(BLOCK_TOKENS).optional().describe('A fixed local window instead of a density.'),
  })
  .refine((m) => (m.density === undefined) !== (m.windowTokens === undefined), {
    error: 'Expected exactly one of density and windowTokens',
  })
  .describe('One sink + window span for every head (StreamingLLM).');

const moaMethod = z
  .strictObject({
    ...methodCommon,
    method: z.literal('moa'),
    density,
    heterogeneity: z
      .enum(['uniform', 'layers', 'heads', 'elastic'])
      .default('elastic')
      .describe(
        "What may differ. uniform: nothing. layers: layers. heads: layers and heads. elastic: also how each head's span grows with the length N.",
      ),
    criterion: choices.criterion
      .optional()
      .describe(
        'What masking is predicted to cost. moa: the sum of |E_ij|, as in the released code. joint (default): the effect of masking the whole far part of a row at once.',
      ),
    semantics: z
      .enum(['exact', 'released'])
      .optional()
      .describe('In the place of compress.semantics for this method, but for the reserve.'),
    rulesPerLayer: z
      .int()
      .min(1)
      .max(64)
      .optional()
      .describe('Maximum number of distinct rules in one layer, where its heads may differ (heads, elastic). Default: 2.'),
  })
  .describe('Spans per layer and KV head, found by influence profiling and optimization.');

const planMethod = z
  .strictObject({
    ...methodCommon,
    method: z.literal('plan'),
    path: z.string().min(1).describe('A plan file, relative to the suite file.'),
  })
  .describe('A plan made before, or imported.');

const methodSchema = z.discriminatedUnion('method', [denseMethod, streamingMethod, moaMethod, planMethod]);

const compressSchema = z.strictObject({
  semantics: z
    .enum(['exact', 'released'])
    .default('exact')
    .describe(
      "What every choice below, each method's criterion and the reserve are where the suite does not say: ours, or the released code's.",
    ),
  epsilon: choices.epsilon
    .optional()
    .describe('Added to 1 - A below the influence of the criterion moa. Default: 2^-23; 2^-7 = 0.0078125 as released.'),
  pricing: choices.pricing
    .optional()
    .describe('What a rule counts for: the blocks that its cache keeps (default), or the mask of the released optimizer, a block more.'),
  candidates: choices.candidates
    .optional()
    .describe('The rules to choose from: extended (default), or the released search space alone; that needs heterogeneity elastic.'),
  lowerBound: choices.lowerBound
    .optional()
    .describe('The least density: a share of what the uniform plan spends (default: 0.98), or of the budget (0.9 as released).'),
  grid: choices.grid
    .optional()
    .describe('Bounds of the other objectives in the epsilon-constraint grid: caps (default), or both ends of intervals as released.'),
  calibration: z.strictObject({
    tasks,
    samplesPerLength: count.default(6),
    answerTokens: count.default(64).describe('Maximum number of tokens of an answer; the dense model writes the answers itself.'),
  }),
  profileLengths: lengths.describe('Lengths that are profiled: one optimization objective each.'),
  constrainLengths: lengths.describe('Lengths at which the density budget holds.'),
  intervals: z
    .int()
    .min(1)
    .max(16)
    .optional()
    .describe(
      'With several profile lengths: intervals into which the epsilon-constraint grid divides each objective. More give a finer Pareto front. Default: 4.',
    ),
  validate: z
    .strictObject({
      length: lengthTokens,
      samples: count.default(8),
      mean: choices.validationMean.optional().describe('Of losses: over samples (default), or of the means of tasks as released.'),
      answers: choices.validationAnswers
        .optional()
        .describe(
          "Whose loss is taken: the dense model's own (default), or the tasks' references, as the released code takes written ones.",
        ),
    })
    .describe('Unseen, longer samples. The plan of the Pareto front with the least loss on them is chosen.'),
});

const generated = z.strictObject({ kind: z.literal('generated') });
const longEval = z.strictObject({
  kind: z.literal('longeval'),
  files: z.array(z.strictObject({ path: z.string().min(1), length: lengthTokens })).min(1),
});
const longBench = z.strictObject({
  kind: z.literal('longbench'),
  folder: z.string().min(1).describe('Folder of LongBench <task>.jsonl files.'),
});

const retrievalSchema = z.strictObject({
  task: taskName.default('lines'),
  source: z.discriminatedUnion('kind', [generated, longEval]).default({ kind: 'generated' }),
  lengths,
  samples: count.describe('Samples per length, spread evenly over depths.'),
  threshold: z.number().gt(0).lt(1).default(0.9).describe('Accuracy that every tested length up to the effective context length reaches.'),
});
const longbenchSchema = z.strictObject({
  tasks,
  source: z.discriminatedUnion('kind', [generated, longBench]).default({ kind: 'generated' }),
  length: lengthTokens,
  samples: count.describe('Samples per task.'),
});
const perplexitySchema = z.strictObject({ tasks, length: lengthTokens, samples: count.describe('Samples per task.') });
const qualitySchema = z.strictObject({
  retrieval: retrievalSchema.optional(),
  longbench: longbenchSchema.optional(),
  perplexity: perplexitySchema.optional(),
});

const rounds = z.int().min(1).max(1000).describe('Interleaved rounds in each process: one timing of every method a round.');
const batches = z.array(count).min(1).refine(isAscending, { error: 'Expected ascending, distinct batch sizes' });
const efficiencySchema = z.strictObject({
  processes: z
    .int()
    .min(1)
    .max(100)
    .default(3)
    .describe('Fresh processes that time everything, one after the other. Times differ between processes, so intervals are over them.'),
  prefill: z.strictObject({ lengths, rounds: rounds.default(5) }).optional(),
  decode: z
    .strictObject({
      lengths: lengths.describe('Length N of each sequence after the last decode step of a pass.'),
      batch: batches.default([1]),
      newTokens: count.default(32).describe('Decode steps in one pass, the last of which reaches the length.'),
      segmentMs: z
        .int()
        .min(0)
        .max(600_000)
        .default(1000)
        .describe('Least duration of one timing: passes are repeated until their times add up to it.'),
      rounds: rounds.default(5),
    })
    .optional(),
  maxBatch: z
    .strictObject({
      length: lengthTokens,
      memoryLimitMiB: z.number().positive().describe('Budget of weights, caches and workspace together.'),
      largest: count.default(256).describe('The search stops here.'),
    })
    .optional(),
  caches: z
    .array(z.enum(['dynamic']))
    .default([])
    .describe('Further dense baselines: dynamic grows by concatenation, as DynamicCache does.'),
});

const shape = {
  version: z.literal(1),
  name: methodId,
  description: z.string().optional(),
  seed: z.int().min(0).default(1),
  model: z.strictObject({
    path: z
      .string()
      .min(1)
      .describe('A Hugging Face folder relative to the working folder, bundled:reference (the model in the package), or dummy:<config>.'),
    weightDType: z.enum(['f32', 'f16', 'bf16']).optional().describe('Default: as stored.'),
    kvDType: z.enum(['f32', 'f16', 'bf16']).default('f32'),
    templateVariables: z
      .record(z.string().regex(/^[A-Za-z_]\w*$/), z.union([z.string(), z.number(), z.boolean(), z.null()]))
      .optional()
      .describe('Variables of the chat template, such as enable_thinking: false. One that the template does not read is refused.'),
  }),
  backend: z
    .strictObject({
      name: z.enum(['cpu', 'cuda', 'tfjs']),
      threads: z.int().min(1).max(1024).optional(),
      device: z.int().min(0).optional(),
      activations: z
        .enum(['f32', 'f16', 'bf16'])
        .optional()
        .describe("Dtype of activations; default: the weights' where the backend takes 16 bits, else f32."),
      graph: z
        .enum(['on', 'off'])
        .default('on')
        .describe('on: decode steps are replayed from a recording where the backend can record. off: they run op by op.'),
    })
    .default({ name: 'cpu', graph: 'on' }),
  generation: z
    .strictObject({
      reserveTokens: z
        .int()
        .min(0)
        .optional()
        .describe(
          "Tokens added to the prompt's to get the length N that fixes the spans. Default: the most new tokens of the sample. The released code uses 1024.",
        ),
      reserveAfter: choices.reserveAfter
        .optional()
        .describe('Where the reserve begins in texts whose loss is taken: after the prompt (default), or after the answer as released.'),
      chunkTokens: z
        .int()
        .min(BLOCK_TOKENS)
        .default(2048)
        .describe('Maximum number of tokens of a prompt that one pass of the model takes, in scoring, timing, calibration and validation.'),
      batch: count
        .default(1)
        .describe('Samples of a quality cell that are generated together. With more than one, their records have no times of their own.'),
    })
    .default({ chunkTokens: 2048, batch: 1 }),
  methods: z.array(methodSchema).min(1),
  compress: compressSchema.optional(),
  quality: qualitySchema.optional(),
  efficiency: efficiencySchema.optional(),
  report: z
    .strictObject({
      title: z.string().min(1).optional(),
      baseline: methodId
        .optional()
        .describe('The method that ratios and paired tests refer to. Default: the first dense one, else the first.'),
    })
    .default({}),
};

const parts = z.strictObject(shape);
/** A suite with its defaults filled in, before the checks that concern several parts. */
export type SuiteParts = z.infer<typeof parts>;

/** A suite file: what is run, with every default filled in. Cross-field rules are checked too. */
export const suiteSchema = parts
  .superRefine((suite, ctx) => checkAcross(suite, (path, message) => ctx.addIssue({ code: 'custom', path: [...path], message })))
  .transform((suite) => ({
    ...withSemantics(suite),
    report: { ...suite.report, baseline: suite.report.baseline ?? defaultBaseline(suite) },
  }));

export type Suite = z.infer<typeof suiteSchema>;
/** A suite as it is written: what has a default may be left out. */
export type SuiteInput = z.input<typeof suiteSchema>;
export type SuiteMethod = Suite['methods'][number];
export type MethodOfSuite<K extends SuiteMethod['method']> = Extract<SuiteMethod, { method: K }>;

function isAscending(values: readonly number[]): boolean {
  return values.every((value, i) => i === 0 || value > (values[i - 1] as number));
}

function isDistinct(values: readonly string[]): boolean {
  return new Set(values).size === values.length;
}
