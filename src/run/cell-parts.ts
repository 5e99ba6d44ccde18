import { compressKey } from '../compress/methods/registry.ts';
import { contentHash } from '../core/hash.ts';
import type { Plan } from '../plan/schema.ts';
import type { Cell, PlanCell, QualityCell } from '../suite/cells.ts';
import type { Suite } from '../suite/schema.ts';
import type { Parts } from './code-identity.ts';
import type { Identity } from './identity.ts';
import { flatParts } from './parts.ts';

/**
 * What a plan depends on: model, method options, everything that calibration depends on, and the code. Throws when a file that the method names cannot be
 * read.
 */
export function planCellParts(cell: PlanCell, suite: Suite, suiteFolder: string, identity: Identity): Parts {
  const { method, ...options } = compressKey(cell.options, suite, suiteFolder) as { readonly method: string };
  return {
    ...artefactParts(suite, identity),
    ...flatParts({ method, ...options, seed: suite.seed, kvDType: suite.model.kvDType, generation: suite.generation }),
  };
}

/** What calibration sets and profiles depend on, apart from their own options. */
export function artefactParts({ model, backend }: Suite, { model: modelParts, native, code }: Identity): Parts {
  return {
    ...modelParts,
    ...native,
    ...code.plan,
    ...flatParts({ backend: backend.name, weightDType: model.weightDType, activations: backend.activations }),
  };
}

/**
 * What any other cell depends on: model, rules of the plan, condition, generation options and the code; for timings also the device, its driver, threads
 * and machine. Samples are not among these parts. Each sample has an address by its own content, so a recorded sample stays valid as long as the suite asks
 * for it.
 */
export function cellParts(cell: Exclude<Cell, PlanCell>, suite: Suite, identity: Identity, plan: Plan): Parts {
  const timed = cell.kind === 'prefill' || cell.kind === 'decode' || cell.kind === 'maxBatch';
  const { id: _id, ...condition } = cell;
  const {
    samples: _samples,
    source: _source,
    ...conditionOfSamples
  } = 'samples' in condition ? condition : { ...condition, samples: null, source: null };
  return {
    ...identity.model,
    ...identity.native,
    ...(timed ? { ...identity.device, ...identity.code.timing } : identity.code.quality),
    plan: planEffect(plan),
    ...flatParts({
      backend: suite.backend.name,
      kvDType: suite.model.kvDType,
      weightDType: suite.model.weightDType,
      activations: suite.backend.activations,
      // A replayed graph computes the same numbers as single steps, but in another time: it matters for timings and not for scores.
      graph: timed ? suite.backend.graph : undefined,
      generation: suite.generation,
      seed: timed ? suite.seed : undefined,
      ...conditionOfSamples,
    }),
  };
}

/** What decides which samples a quality cell asks for, without making them: equal parts give equal samples. It is the same for all methods. */
export function sampleSetParts(cell: QualityCell, suite: Suite, identity: Identity): Parts {
  return {
    ...identity.model,
    ...identity.code.samples,
    ...identity.data(cell),
    ...flatParts({
      kind: cell.kind,
      task: cell.task,
      length: cell.length,
      samples: cell.samples,
      source: cell.source.kind,
      seed: suite.seed,
      reserveTokens: suite.generation.reserveTokens,
    }),
  };
}

/**
 * Hash of what a plan does. The plan's name and the search that found it are left out, so that results stay valid when another search finds the same plan.
 */
function planEffect({ method, block, sink, rules }: Plan): string {
  return contentHash({ dense: method === 'dense', block, sink, rules });
}
