import type { ModelConfig } from '../model/config.ts';
import type { Cell } from '../suite/cells.ts';
import type { Suite } from '../suite/schema.ts';
import { sampleSource } from './sample-source.ts';

/** A note on the cells' lengths beyond the positions that the model was made for, or null. Not an error: extrapolation may be what is studied. */
export function beyondPositions(suite: Suite, cells: readonly Cell[], { maxPositions }: ModelConfig): string | null {
  const beyond = new Set(cells.flatMap((cell) => lengthsOf(cell, suite)).filter((length) => length > maxPositions));
  if (beyond.size === 0) return null;
  const lengths = [...beyond].sort((a, b) => a - b);
  const are = lengths.length === 1 ? `Length ${lengths[0]} is` : `Lengths ${lengths.join(', ')} are`;
  return `${are} beyond the ${maxPositions} positions of ${suite.model.path} (max_position_embeddings): what is scored there is extrapolation.`;
}

function lengthsOf(cell: Cell, suite: Suite): readonly number[] {
  const { compress } = suite;
  switch (cell.kind) {
    case 'plan':
      return cell.options.method === 'moa' && compress !== undefined ? [...compress.profileLengths, compress.validate.length] : [];
    case 'decode':
      return [cell.context];
    case 'maxBatch':
      return [cell.contextTokens];
    case 'prefill':
      return [cell.length];
    default:
      return [sampleSource(cell, suite, '').sequenceTokens];
  }
}
