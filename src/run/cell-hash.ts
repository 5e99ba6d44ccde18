import { compressKey } from '../compress/methods/registry.ts';
import { contentHash } from '../core/hash.ts';
import { planHash } from '../plan/file.ts';
import type { Plan } from '../plan/schema.ts';
import type { Cell, PlanCell } from '../suite/cells.ts';
import type { Suite } from '../suite/schema.ts';

/** Raised when the code changes what a cell's records mean; part of every cell hash, so that old records are not mixed with new ones. */
const PROTOCOL = 1;

/** What runs the cells: known without loading the model. */
export interface Identity {
  readonly weightsHash: string;
  /** The backend's description: part of the address of timings only. */
  readonly device: string;
}

/** Address of a plan cell: weights, method options, everything that calibration depends on. */
export function planCellHash(cell: PlanCell, suite: Suite, suiteFolder: string, identity: Identity): string {
  return contentHash({
    protocol: PROTOCOL,
    weights: identity.weightsHash,
    backend: suite.backend.name,
    ...numerics(suite),
    seed: suite.seed,
    method: compressKey(cell.options, suite, suiteFolder),
  });
}

/** Address of any other cell: weights, plan, condition, generation options; for timings the device too. */
export function cellHash(cell: Exclude<Cell, PlanCell>, suite: Suite, identity: Identity, plan: Plan): string {
  const { id: _id, method: _method, ...condition } = cell;
  const timed = cell.kind === 'prefill' || cell.kind === 'decode' || cell.kind === 'maxBatch';
  return contentHash({
    protocol: PROTOCOL,
    weights: identity.weightsHash,
    plan: planHash(plan),
    backend: timed ? identity.device : suite.backend.name,
    ...numerics(suite),
    // Replays compute what steps one by one compute, in another time; recordings on, the default, are left out of the address.
    graph: timed && suite.backend.graph === 'off' ? 'off' : undefined,
    generation: suite.generation,
    seed: suite.seed,
    source: sourceOf(cell, suite),
    condition,
  });
}

/** Dtypes that are asked for; what is left out follows from weights and backend, and addresses made before it could be said still hold. */
function numerics({ model, backend }: Suite) {
  return { kvDType: model.kvDType, weightDType: model.weightDType, activations: backend.activations };
}

function sourceOf(cell: Cell, suite: Suite): unknown {
  if (cell.kind === 'retrieval') return suite.quality?.retrieval?.source;
  if (cell.kind === 'longbench') return suite.quality?.longbench?.source;
  return null;
}
