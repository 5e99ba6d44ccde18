import { expect, test } from 'vitest';
import { type CalibrationOptions, calibrationKey } from '../../src/compress/calibrate.ts';

const options: CalibrationOptions = {
  tasks: ['lines'],
  samples: 2,
  answers: 'model',
  answerTokens: 8,
  length: 512,
  chunkTokens: 2048,
  graph: 'on',
  seed: '1/calibrate',
  identity: 'a',
};

test.each<[string, Partial<CalibrationOptions>]>([
  ['what decides the answers: tokenizer, template, end tokens, code, libraries', { identity: 'b' }],
  ['tasks', { tasks: ['summary'] }],
  ['samples', { samples: 3 }],
  ['length', { length: 1024 }],
  ['seed', { seed: '2/calibrate' }],
])('a calibration set is found again only with the same %s', (_, change) => {
  expect(calibrationKey({ ...options, ...change })).not.toBe(calibrationKey(options));
});

test('recorded steps compute what steps one by one compute', () => {
  expect(calibrationKey({ ...options, graph: 'off' })).toBe(calibrationKey(options));
});
