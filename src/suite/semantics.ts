import { z } from 'zod';
import { contentHash } from '../core/hash.ts';
import type { SuiteParts } from './schema.ts';

const share = { error: 'Expected a number in [0, 1]' };

/** Where this code and the released one differ in how plans are made; `docs/method.md`, differences, says what each choice is. */
export const choiceSchemas = {
  criterion: z.enum(['moa', 'joint']),
  epsilon: z.number().gt(0).max(1),
  pricing: z.enum(['cache', 'mask']),
  candidates: z.enum(['extended', 'released']),
  lowerBound: z.strictObject({ fraction: z.number(share).min(0, share).max(1, share), of: z.enum(['uniform', 'budget']) }),
  grid: z.enum(['caps', 'intervals']),
  validationMean: z.enum(['samples', 'tasks']),
  validationAnswers: z.enum(['model', 'reference']),
  reserveAfter: z.enum(['prompt', 'answer']),
};

/** The choices that a plan was made with, and what they come to: `mixed` where some are as released and some are not. */
export const semanticsSchema = z.strictObject({
  name: z.enum(['exact', 'released', 'mixed']),
  ...choiceSchemas,
  /** null: the most new tokens of a sample. */
  reserveTokens: z.int().min(0).nullable(),
});
export type Semantics = z.infer<typeof semanticsSchema>;
type Choices = Omit<Semantics, 'name'>;

const CHOICES: Readonly<Record<'exact' | 'released', Choices>> = {
  exact: {
    criterion: 'joint',
    // float32's machine epsilon: keeps 1 / (1 - A) finite.
    epsilon: 2 ** -23,
    pricing: 'cache',
    candidates: 'extended',
    lowerBound: { fraction: 0.98, of: 'uniform' },
    grid: 'caps',
    validationMean: 'samples',
    validationAnswers: 'model',
    reserveTokens: null,
    reserveAfter: 'prompt',
  },
  released: {
    criterion: 'moa',
    // bfloat16's machine epsilon: the released profiler's default dtype.
    epsilon: 2 ** -7,
    pricing: 'mask',
    candidates: 'released',
    lowerBound: { fraction: 0.9, of: 'budget' },
    grid: 'intervals',
    validationMean: 'tasks',
    validationAnswers: 'reference',
    reserveTokens: 1024,
    reserveAfter: 'answer',
  },
};

/**
 * The suite with the defaults that its semantics decide: the reserve of the whole suite, and the criterion of every moa method. What comes out can be
 * read again as a suite, and is the same then: run folders keep it.
 */
export function withSemantics(suite: SuiteParts) {
  const generation = { ...suite.generation, ...reserveOf(suite, CHOICES[suite.compress?.semantics ?? 'exact']) };
  return {
    ...suite,
    generation,
    methods: suite.methods.map((method) =>
      method.method === 'moa' ? { ...method, criterion: semanticsOf({ ...suite, generation }, method).criterion } : method,
    ),
  };
}

/** What stays open is left out: the address of a result has only what was asked for. */
function reserveOf({ generation }: SuiteParts, choices: Choices) {
  const reserveTokens = generation.reserveTokens ?? choices.reserveTokens ?? undefined;
  const reserveAfter = generation.reserveAfter ?? (choices.reserveAfter === 'prompt' ? undefined : choices.reserveAfter);
  return { ...(reserveTokens === undefined ? {} : { reserveTokens }), ...(reserveAfter === undefined ? {} : { reserveAfter }) };
}

/**
 * All choices of a moa method, named by what they all are: what the suite says of a choice, else what the semantics of the method are, else those of
 * the suite.
 */
export function semanticsOf(
  { compress, generation }: Pick<SuiteParts, 'compress' | 'generation'>,
  method: { readonly criterion?: Choices['criterion'] | undefined; readonly semantics?: keyof typeof CHOICES | undefined },
): Semantics {
  const base = CHOICES[method.semantics ?? compress?.semantics ?? 'exact'];
  const choices: Choices = {
    criterion: method.criterion ?? base.criterion,
    epsilon: compress?.epsilon ?? base.epsilon,
    pricing: compress?.pricing ?? base.pricing,
    candidates: compress?.candidates ?? base.candidates,
    lowerBound: compress?.lowerBound ?? base.lowerBound,
    grid: compress?.grid ?? base.grid,
    validationMean: compress?.validate.mean ?? base.validationMean,
    validationAnswers: compress?.validate.answers ?? base.validationAnswers,
    reserveTokens: generation.reserveTokens ?? null,
    reserveAfter: generation.reserveAfter ?? 'prompt',
  };
  const name = (['exact', 'released'] as const).find((semantics) => contentHash(choices) === contentHash(CHOICES[semantics]));
  return { name: name ?? 'mixed', ...choices };
}
