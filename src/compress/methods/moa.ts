import { contentHash } from '../../core/hash.ts';
import type { Plan } from '../../plan/schema.ts';
import { densitiesAt } from '../../plan/spans.ts';
import { suiteLengths } from '../../suite/lengths.ts';
import type { MethodOfSuite } from '../../suite/schema.ts';
import { calibrationSet, compressSection, influenceProfiles } from '../artefacts.ts';
import { lossTable } from '../loss-table.ts';
import type { ParetoFront } from '../optimize/front.ts';
import { optimize } from '../optimize/optimize.ts';
import { ruleSpace } from '../optimize/rules.ts';
import { leastLoss, validationLosses } from '../validate.ts';
import type { CompressContext, Method, ProfileUse } from './method.ts';
import { planOfRules } from './plan-of-rules.ts';

type MoaOptions = MethodOfSuite<'moa'>;

/** Spans per layer and KV head: profile attention influence, optimize under the density budget, validate the Pareto front (MoA section 3). */
export const moaMethod: Method<MoaOptions> = {
  name: 'moa',
  key: ({ density, heterogeneity, criterion, rulesPerLayer }, suite) => ({
    density,
    heterogeneity,
    criterion,
    rulesPerLayer,
    compress: suite.compress,
  }),
  compress: async (options, context) => {
    const profiles = await influenceProfiles(context);
    const front = await optimizeRules(options, context, profiles);
    const plans = front.points.map((point) => planOfPoint(options, context, { front, point, profiles }));
    const { validate } = compressSection(context);
    const set = await calibrationSet(context, 'validate', validate.length, validate.samples);
    const losses = await validationLosses(context.model, plans, set, { ...context, kvDType: context.suite.model.kvDType });
    const chosen = leastLoss(losses);
    const best = plans[chosen] as Plan;
    const validation = { length: validate.length, loss: losses[chosen] as number, samples: set.items.length };
    return {
      plan: { ...best, provenance: { ...best.provenance, validation } },
      profiles,
      front: { front, plans, validationLosses: losses, chosen },
    };
  },
};
