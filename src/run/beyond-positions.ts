import type { ModelConfig } from '../model/format/config.ts';
import { positionsOf } from '../model/format/positions.ts';
import type { Cell } from '../suite/cells.ts';
import type { Suite } from '../suite/schema.ts';
import { sampleSource } from './sample-source.ts';

/**
 * A note that names the cells' lengths beyond the positions that the model was made for, or null when there are none. The positions include the model's
 * RoPE scaling. This is not an error, because extrapolation may be what is studied. A cell's length is prompt and new tokens together, for generated
 * samples and for samples that are read from files.
 */
export function beyondPositions(suite: Suite, cells: readonly Cell[], config: ModelConfig): string | null {
  const { tokens, from } = positionsOf(config);
  const beyond = new Set(cells.flatMap((cell) => lengthsOf(cell, suite)).filter((length) => length > tokens));
  if (beyond.size === 0) return null;
  const lengths = [...beyond].sort((a, b) => a - b);
  const are = lengths.length === 1 ? `Length ${lengths[0]} is` : `Lengths ${lengths.join(', ')} are`;
  return `${are} beyond the ${tokens} positions of ${suite.model.path} (${from}): what is scored there is extrapolation.`;
}

function lengthsOf(cell: Cell, suite: Suite): readonly number[] {
  const { compress } = suite;
  switch (cell.kind) {
    case 'plan':
      return cell.options.method === 'moa' && compress !== undefined ? [...compress.profileLengths, compress.validate.length] : [];
    case 'decode':
    case 'maxBatch':
    case 'prefill':
      return [cell.length];
    default:
      return [sampleSource(cell, suite, '').sequenceTokens];
  }
}
