import { expect, test } from 'vitest';
import type { ModelConfig } from '../../src/model/format/config.ts';
import { modelConfig } from '../../src/model/load.ts';
import { beyondPositions } from '../../src/run/beyond-positions.ts';
import { expandCells } from '../../src/suite/cells.ts';
import { suiteSchema } from '../../src/suite/schema.ts';

/** A suite of every kind of cell whose lengths are 8192, the most that the model takes, but for `longest`. */
function noteOf(longest: number, kinds?: readonly string[], model: Partial<ModelConfig> = {}): string | null {
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
    efficiency: { decode: { lengths: [longest + 2] }, maxBatch: { length: longest + 3, memoryLimitMiB: 1 } },
  });
  const cells = expandCells(suite).filter((cell) => kinds?.includes(cell.kind) ?? true);
  return beyondPositions(suite, cells, { ...modelConfig('dummy:tiny'), ...model });
}

const FILES = suiteSchema.parse({
  version: 1,
  name: 'files',
  model: { path: 'dummy:tiny' },
  methods: [{ id: 'dense', method: 'dense' }],
  quality: {
    retrieval: { source: { kind: 'longeval', files: [{ path: 'a.jsonl', length: 9000 }] }, lengths: [9000], samples: 1 },
    longbench: { source: { kind: 'longbench', folder: 'd' }, tasks: ['hotpotqa'], length: 9001, samples: 1 },
  },
});

test('names every length beyond the positions of the model, and their number', () => {
  expect(noteOf(16384)).toBe(
    'Lengths 16384, 16385, 16386, 16387 are beyond the 8192 positions of dummy:tiny (max_position_embeddings): what is scored there is extrapolation.',
  );
});

test('speaks only of the cells that run', () => {
  expect(noteOf(16384, ['plan'])).toMatch(/^Length 16384 is beyond/);
  expect(noteOf(8192, ['plan'])).toBeNull();
});

test('speaks of files as of generated samples', () => {
  expect(beyondPositions(FILES, expandCells(FILES), modelConfig('dummy:tiny'))).toMatch(
    /^Lengths 9000, 9001 are beyond the 8192 positions/,
  );
});

test('counts in what the RoPE scaling gives', () => {
  const original = { originalMaxPositions: 4096 };
  const yarn = { attentionFactor: null, betaFast: 32, betaSlow: 1, mscale: null, mscaleAllDim: null, truncate: true };
  const frequencies = { lowFrequencyFactor: 1, highFrequencyFactor: 4 };
  const noteWith = (ropeScaling: ModelConfig['ropeScaling']) => noteOf(16384, ['plan'], { ropeScaling });
  expect(noteWith({ kind: 'linear', factor: 2 })).toBeNull();
  expect(noteWith({ kind: 'linear', factor: 1.5 })).toMatch(/beyond the 12288 positions .* 8192 times the factor 1\.5 of linear scaling/);
  expect(noteWith({ kind: 'dynamic', factor: 2 })).toBeNull();
  expect(noteWith({ kind: 'yarn', factor: 4, ...original, ...yarn })).toBeNull();
  expect(noteWith({ kind: 'yarn', factor: 3, ...original, ...yarn })).toMatch(
    /beyond the 12288 positions .*original_max_position_embeddings 4096/,
  );
  expect(noteWith({ kind: 'llama3', factor: 32, ...original, ...frequencies })).toMatch(/beyond the 8192 positions/);
});
