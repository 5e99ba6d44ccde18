import { contentHash } from '../core/hash.ts';
import { WITHOUT_PLAN } from '../records/record.ts';
import { type Cell, expandCells, isQuality, type QualityCell } from '../suite/cells.ts';
import { cellParts, planCellParts, sampleSetParts } from './cell-parts.ts';
import type { Parts } from './code-identity.ts';
import { now, type RunContext } from './context.ts';

/** Where a cell's results are kept in the records, with the parts from which this address was made. */
export interface Address {
  readonly cell: string;
  readonly parts: Parts;
  /** The samples that a quality cell asks for. */
  readonly sampleSet: string | null;
}

type AddressInput = Pick<RunContext, 'suite' | 'suiteFolder' | 'identity' | 'plans'>;

/**
 * The address of a cell now; WITHOUT_PLAN when the method of the cell has no plan (yet). Throws when a file that a plan method names cannot be read.
 */
export function addressOf(cell: Cell, { suite, suiteFolder, identity, plans }: AddressInput): Address {
  if (cell.kind === 'plan') return address(planCellParts(cell, suite, suiteFolder, identity), null);
  const plan = plans.get(cell.method);
  const sampleSet = isQuality(cell) ? sampleSetOf(cell, { suite, identity }) : null;
  if (plan === undefined) return { cell: WITHOUT_PLAN, parts: {}, sampleSet };
  return address(cellParts(cell, suite, identity, plan), sampleSet);
}

/** The address of the samples that a cell asks for. */
export function sampleSetOf(cell: QualityCell, { suite, identity }: Pick<AddressInput, 'suite' | 'identity'>): string {
  return contentHash(sampleSetParts(cell, suite, identity));
}

function address(parts: Parts, sampleSet: string | null): Address {
  return { cell: contentHash(parts), parts, sampleSet };
}

/** Records the new address of every cell of the suite whose address changed. From then on reports leave out results under the old address. */
export function recordAddresses(context: RunContext): void {
  for (const cell of expandCells(context.suite)) {
    const { parts, ...found } = addressOrNone(cell, context);
    const last = context.store.addresses.get(cell.id);
    if (last?.cell === found.cell && last.sampleSet === found.sampleSet) continue;
    context.store.append({ kind: 'cell', time: now(), method: cell.method, cellId: cell.id, parts: { ...parts }, ...found });
  }
}

/** As `addressOf`, but WITHOUT_PLAN when a plan file cannot be read: the cell itself fails later, when it is run. */
export function addressOrNone(cell: Cell, input: AddressInput): Address {
  try {
    return addressOf(cell, input);
  } catch {
    return { cell: WITHOUT_PLAN, parts: {}, sampleSet: null };
  }
}
