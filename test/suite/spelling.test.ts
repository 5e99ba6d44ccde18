import { describe, expect, it } from 'vitest';
import { didYouMean, editDistance } from '../../src/suite/spelling.ts';

describe('didYouMean', () => {
  it.each([
    ['densty', 'density'],
    ['qualtiy', 'quality'],
    ['Methods', 'methods'],
    ['zzz', undefined],
    ['x', undefined],
  ])('%s -> %s', (word, expected) => {
    expect(didYouMean(word, ['density', 'quality', 'methods', 'name'])).toBe(expected);
  });
});

describe('editDistance', () => {
  it.each([
    ['', 'abc', 3],
    ['abc', 'abc', 0],
    ['abcd', 'abdc', 1],
    ['kitten', 'sitting', 3],
  ])('%s, %s', (a, b, distance) => {
    expect(editDistance(a, b)).toBe(distance);
    expect(editDistance(b, a)).toBe(distance);
  });
});
