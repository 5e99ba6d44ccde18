import { invalidArgument, MoaError } from '../../core/errors.ts';
import { contentHash } from '../../core/hash.ts';
import type { Rule } from '../../plan/rule.ts';
import type { Plan, Provenance } from '../../plan/schema.ts';
import { suiteLengths } from '../../suite/lengths.ts';
import type { MethodOfSuite } from '../../suite/schema.ts';
import { type Semantics, semanticsOf } from '../../suite/semantics.ts';
import { calibrationSet, compressSection, influenceProfiles } from '../artefacts.ts';
import { lossTable } from '../loss-table.ts';
import type { ParetoFront, ParetoPoint } from '../optimize/front.ts';
import { optimize } from '../optimize/optimize.ts';
import { candidateRules, releasedRules } from '../optimize/rules.ts';
import { leastLoss, validationLosses } from '../validate.ts';
import type { CompressContext, Method, ProfileUse } from './method.ts';
import { planOfRules } from './plan-of-rules.ts';

type MoaOptions = MethodOfSuite<'moa'>;

/** Spans per layer and KV head: profile attention influence, optimize under the density budget, validate the Pareto front (MoA section 4). */
export const moaMethod: Method<MoaOptions> = {
  name: 'moa',
  key: (options, suite) => ({
    density: options.density,
    heterogeneity: options.heterogeneity,
    criterion: options.criterion,
    semantics: semanticsOf(suite, options),
    rulesPerLayer: options.rulesPerLayer,
    compress: suite.compress,
    // The reserve decides the spans at which plans are validated, and so which plan is chosen.
    reserveTokens: suite.generation.reserveTokens,
    reserveAfter: suite.generation.reserveAfter,
  }),
  compress: async (options, context) => {
    const semantics = semanticsOf(context.suite, options);
    const rules = rulesToChooseFrom(options, context, semantics);
    const profiles = await influenceProfiles(context, semantics.epsilon);
    const front = await optimizeRules(options, context, { profiles, rules, semantics });
    const candidates = front.points.map((point) => planOfPoint(options, context, { front, point, profiles, semantics }));
    const { validate } = compressSection(context);
    const set = await calibrationSet(context, 'validate', { ...validate, answers: semantics.validationAnswers });
    const { model, generation } = context.suite;
    const losses = await validationLosses(context.model, candidates, set, {
      ...context,
      kvDType: model.kvDType,
      generation,
      mean: semantics.validationMean,
    });
    const plans = candidates.map((plan, i) =>
      withValidation(plan, { length: validate.length, loss: losses[i] as number, samples: set.items.length }),
    );
    const chosen = leastLoss(losses);
    const plan = plans[chosen];
    if (plan === undefined) throw new MoaError('Expected at least one plan on the Pareto front but received none', { code: 'INTERNAL' });
    return { plan, profiles, front: { front, plans, validationLosses: losses, chosen } };
  },
};

function rulesToChooseFrom(
  { density: budget, heterogeneity }: MoaOptions,
  context: CompressContext,
  semantics: Semantics,
): readonly Rule[] {
  const { profileLengths, constrainLengths: constraintLengths } = compressSection(context);
  return semantics.candidates === 'released'
    ? releasedRules(profileLengths, constraintLengths)
    : candidateRules({ heterogeneity, profileLengths, constraintLengths, budget });
}

async function optimizeRules(
  { density: budget, heterogeneity, rulesPerLayer }: MoaOptions,
  context: CompressContext,
  {
    profiles,
    rules,
    semantics,
  }: { readonly profiles: readonly ProfileUse[]; readonly rules: readonly Rule[]; readonly semantics: Semantics },
): Promise<ParetoFront> {
  const { profileLengths, constrainLengths, intervals } = compressSection(context);
  const { criterion, pricing, lowerBound, grid } = semantics;
  return optimize({
    profileLengths,
    lossTables: new Map(profiles.map(({ profile }) => [profile.length, lossTable(profile, rules, { criterion, pricing })])),
    rules,
    constraintLengths: constrainLengths,
    budget,
    lowerBound,
    pricing,
    sink: sinkOf(profiles),
    layers: context.model.config.layers,
    kvHeads: context.model.config.kvHeads,
    rulesPerLayer,
    heterogeneity,
    grid,
    intervals,
    ...(context.signal === undefined ? {} : { signal: context.signal }),
    ...(context.onProgress === undefined ? {} : { onProgress: context.onProgress }),
  });
}

interface PointOfFront {
  readonly front: ParetoFront;
  readonly point: ParetoPoint;
  readonly profiles: readonly ProfileUse[];
  readonly semantics: Semantics;
}

function planOfPoint(options: MoaOptions, context: CompressContext, { front, point, profiles, semantics }: PointOfFront): Plan {
  return planOfRules({
    name: options.id,
    method: 'moa',
    model: context.model,
    alpha: point.alpha.map((row) => [...row]),
    beta: point.beta.map((row) => [...row]),
    sink: sinkOf(profiles),
    heterogeneity: options.heterogeneity,
    lengths: suiteLengths(context.suite),
    provenance: {
      calibrationHash: contentHash(profiles.map(({ profile }) => profile.calibrationHash)),
      profileHashes: Object.fromEntries(
        profiles.map(({ profile }) => [profile.length, contentHash([...profile.joint, ...profile.elementwise])]),
      ),
      criterion: options.criterion,
      semantics,
      objective: `loss at ${point.primary} tokens`,
      losses: { ...point.objectives },
      solver: front.solver,
      gap: point.gap,
      budget: options.density,
      constraintLengths: [...compressSection(context).constrainLengths],
      rulesPerLayer: front.rulesPerLayer,
      seed: context.suite.seed,
    },
  });
}

/** The sink that the profiles counted apart: rules are priced with it and the plans made of them keep it. */
function sinkOf(profiles: readonly ProfileUse[]): number {
  const sinks = new Set(profiles.map(({ profile }) => profile.sink));
  const [sink] = sinks;
  if (sink === undefined || sinks.size > 1) throw invalidArgument('one sink', 'the profiles of a plan', [...sinks]);
  return sink;
}

function withValidation(plan: Plan, validation: NonNullable<Provenance['validation']>): Plan {
  return { ...plan, provenance: { ...plan.provenance, validation } };
}
