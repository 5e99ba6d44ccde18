import { describe, expect, it } from 'vitest';
import { expandCells, groupOf } from '../../src/suite/cells.ts';
import { suiteSchema } from '../../src/suite/schema.ts';

const suite = suiteSchema.parse({
  version: 1,
  name: 'q',
  model: { path: 'models/reference' },
  methods: [
    { id: 'dense', method: 'dense' },
    { id: 'uniform-50', method: 'streaming', density: 0.5 },
  ],
  quality: {
    retrieval: { lengths: [1024, 2048], samples: 4 },
    longbench: { tasks: ['summary'], length: 2048, samples: 3 },
    perplexity: { tasks: ['code'], length: 1024, samples: 2 },
  },
  efficiency: {
    prefill: { lengths: [1024] },
    decode: { lengths: [1024], batch: [1, 4] },
    maxBatch: { length: 1024, memoryLimitMiB: 64 },
    caches: ['dynamic'],
  },
});

describe('expandCells', () => {
  it('orders plans, quality, efficiency; methods of one condition follow one another', () => {
    expect(expandCells(suite).map((cell) => cell.id)).toEqual([
      'plan/dense',
      'plan/uniform-50',
      'retrieval/lines/1024/dense',
      'retrieval/lines/1024/uniform-50',
      'retrieval/lines/2048/dense',
      'retrieval/lines/2048/uniform-50',
      'longbench/summary/2048/dense',
      'longbench/summary/2048/uniform-50',
      'perplexity/code/1024/dense',
      'perplexity/code/1024/uniform-50',
      'prefill/1024/dense',
      'prefill/1024/uniform-50',
      'prefill/1024/dense+dynamic',
      'prefill/1024/dense+control',
      'decode/1024x1/dense',
      'decode/1024x1/uniform-50',
      'decode/1024x1/dense+dynamic',
      'decode/1024x1/dense+control',
      'decode/1024x4/dense',
      'decode/1024x4/uniform-50',
      'decode/1024x4/dense+dynamic',
      'decode/1024x4/dense+control',
      'maxBatch/1024/dense',
      'maxBatch/1024/uniform-50',
    ]);
  });

  it('gives plain, whole cells', () => {
    const cells = expandCells(suite);
    expect(cells.find((cell) => cell.id === 'retrieval/lines/2048/dense')).toEqual({
      kind: 'retrieval',
      id: 'retrieval/lines/2048/dense',
      method: 'dense',
      source: { kind: 'generated' },
      task: 'lines',
      length: 2048,
      samples: 4,
    });
    expect(cells.find((cell) => cell.id === 'decode/1024x4/dense+dynamic')).toEqual({
      kind: 'decode',
      id: 'decode/1024x4/dense+dynamic',
      method: 'dense',
      cache: 'dynamic',
      control: false,
      length: 1024,
      batch: 4,
      newTokens: 32,
      segmentMs: 1000,
      rounds: 5,
    });
    expect(cells.find((cell) => cell.id === 'prefill/1024/dense+control')).toEqual({
      kind: 'prefill',
      id: 'prefill/1024/dense+control',
      method: 'dense',
      cache: null,
      control: true,
      length: 1024,
      rounds: 5,
    });
    expect(groupOf(cells[14] ?? { kind: 'plan', id: '', method: '', options: { id: 'x', method: 'dense' } })).toBe('decode/1024x1');
  });
});
