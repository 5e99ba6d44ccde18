import { expect, test } from 'vitest';
import { lossTable } from '../../src/compress/loss-table.ts';
import type { InfluenceProfile } from '../../src/compress/profile.ts';

// 1 layer, 2 KV heads, 512 tokens: 8 bins. Head 0 has influence 1 in every bin, head 1 only in bin 5.
const bins = 8;
const elementwise = new Float64Array(2 * bins).fill(1, 0, bins);
elementwise[bins + 5] = 3;
const joint = Float64Array.from({ length: 2 * bins }, (_, i) => 100 - i);
const profile: InfluenceProfile = {
  format: 'moabench-profile',
  version: 1,
  weightsHash: '',
  calibrationHash: '',
  length: 512,
  layers: 1,
  kvHeads: 2,
  bins,
  sink: 64,
  epsilon: 1e-7,
  activationDType: 'f32',
  samples: 2,
  totalSamples: 2,
  lossSum: 0,
  elementwise,
  elementwiseSink: new Float64Array(2 * bins),
  joint,
};
// Spans at 512: 128 (window of 1 block), 320 (4 blocks), 448 (6 blocks), 512 (nothing masked).
const rules = [128, 320, 448, 512].map((alpha) => ({ alpha, beta: 0 }));

test('moa: the loss of a window is the sum over the bins beyond it, per sample', () => {
  expect([...lossTable(profile, rules, { criterion: 'moa', pricing: 'cache' })]).toEqual([7, 4, 2, 0, 3, 3, 0, 0].map((x) => x / 2));
});

test('joint: the loss of a window is its own entry', () => {
  expect([...lossTable(profile, rules, { criterion: 'joint', pricing: 'cache' })]).toEqual(
    [99, 96, 94, 0, 91, 88, 86, 0].map((x) => x / 2),
  );
});

test.each([
  [0, [6, 3, 1, 0]],
  [64, [7, 4, 2, 0]],
  [128, [7, 5, 3, 0]], // the smallest span is the sink and a block
])('with a sink of %i tokens, spans leave the window that they leave at run time', (sink, losses) => {
  const table = lossTable({ ...profile, sink }, rules, { criterion: 'moa', pricing: 'cache' });
  expect([...table.subarray(0, 4)]).toEqual(losses.map((x) => x / 2));
});

test('an empty profile is refused', () => {
  expect(() => lossTable({ ...profile, samples: 0 }, rules, { criterion: 'moa', pricing: 'cache' })).toThrow(
    'Expected a profile with samples',
  );
});
