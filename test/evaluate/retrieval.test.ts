import { expect, test } from 'vitest';
import { wilsonInterval } from '../../src/core/statistics-proportion.ts';
import { depthDecile, retrievalTable } from '../../src/evaluate/retrieval.ts';

test('accuracy by length and by depth decile, with Wilson intervals', () => {
  const table = retrievalTable([
    { targetTokens: 2048, depth: 0.05, correct: true },
    { targetTokens: 1024, depth: 0.99, correct: false },
    { targetTokens: 1024, depth: 0.93, correct: true },
    { targetTokens: 1024, depth: 0, correct: true },
    { targetTokens: 1024, correct: true },
  ]);
  expect(table).toEqual({
    lengths: [
      { tokens: 1024, accuracy: wilsonInterval(3, 4) },
      { tokens: 2048, accuracy: wilsonInterval(1, 1) },
    ],
    cells: [
      { tokens: 1024, decile: 0, accuracy: wilsonInterval(1, 1) },
      { tokens: 1024, decile: 9, accuracy: wilsonInterval(1, 2) },
      { tokens: 2048, decile: 0, accuracy: wilsonInterval(1, 1) },
    ],
  });
  expect(retrievalTable([])).toEqual({ lengths: [], cells: [] });
});

test('deciles take their lower end; the end of the context is in the last', () => {
  expect([0, 0.0999, 0.1, 0.55, 0.999, 1].map(depthDecile)).toEqual([0, 0, 1, 5, 9, 9]);
});
