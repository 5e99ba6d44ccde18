import { describe, expect, test } from 'vitest';
import { papers } from './doc-scripts.ts';

describe('countWords', () => {
  test('counts what has a letter or a digit, in prose, tables and code alike', () => {
    expect(papers.countWords('# One title\n\n| a | 2.5 |\n|---|---|\n\n```\nnpm ci && npm run quick\n```\n')).toBe(9);
  });

  test('leaves comments out, over several lines too', () => {
    expect(papers.countWords('a <!-- figures: quick\nnot read --> b')).toBe(2);
  });
});

describe('paperProblems', () => {
  test('is silent at both limits', () => {
    expect(papers.paperProblems({ words: 1200, bytes: 20 * 2 ** 20 })).toEqual([]);
  });

  test('names what is above its limit', () => {
    const [words, bytes] = papers.paperProblems({ words: 1201, bytes: 21 * 2 ** 20 });
    expect(words).toMatch(/at most 1200 words in README.md but it has 1201/);
    expect(bytes).toMatch(/at most 20.0 MiB of tracked files but there are 21.0/);
  });
});
