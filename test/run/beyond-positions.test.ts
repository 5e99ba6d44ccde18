import { expect, test } from 'vitest';
import { modelConfig } from '../../src/model/load.ts';
import { beyondPositions } from '../../src/run/beyond-positions.ts';
import { expandCells } from '../../src/suite/cells.ts';
import { suiteSchema } from '../../src/suite/schema.ts';

/** A suite of every kind of cell whose lengths are 8192, the most that the model takes, but for `longest`. */
function noteOf(longest: number, kinds?: readonly string[]): string | null {
  const suite = suiteSchema.parse({
    version: 1,
    name: 'long',
    model: { path: 'dummy:tiny' },
    methods: [
      { id: 'dense', method: 'dense' },
      { id: 'moa', method: 'moa', density: 0.5 },
    ],
    compress: {
      calibration: { tasks: ['lines'] },
      profileLengths: [8192],
      constrainLengths: [8192],
      validate: { length: longest },
    },
    quality: { retrieval: { lengths: [4096, 8192, longest + 1], samples: 1 } },
    efficiency: { decode: { contexts: [longest + 2] }, maxBatch: { contextTokens: longest + 3, memoryLimitMiB: 1 } },
  });
  const cells = expandCells(suite).filter((cell) => kinds?.includes(cell.kind) ?? true);
  return beyondPositions(suite, cells, modelConfig('dummy:tiny'));
}

test('names every length beyond the positions of the model, and their number', () => {
  expect(noteOf(16384)).toBe(
    'Lengths 16384, 16385, 16386, 16387 are beyond the 8192 positions of dummy:tiny (max_position_embeddings): what is scored there is extrapolation.',
  );
});

test('speaks only of the cells that run', () => {
  expect(noteOf(16384, ['plan'])).toMatch(/^Length 16384 is beyond/);
  expect(noteOf(8192, ['plan'])).toBeNull();
});
