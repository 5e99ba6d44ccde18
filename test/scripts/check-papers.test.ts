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

describe('sizeProblems', () => {
  test('is silent at both limits', () => {
    expect(papers.sizeProblems({ words: 1200, bytes: 20 * 2 ** 20 })).toEqual([]);
  });

  test('names what is above its limit', () => {
    const [words, bytes] = papers.sizeProblems({ words: 1201, bytes: 21 * 2 ** 20 });
    expect(words).toMatch(/at most 1200 words in README.md but it has 1201/);
    expect(bytes).toMatch(/at most 20.0 MiB of tracked files but there are 21.0/);
  });
});

describe('brokenLinks', () => {
  const files: Readonly<Record<string, string>> = {
    'README.md': '[a](docs/a.md) [b](docs/a.md#two-words) [c](#here) [d](https://example.org/x.md)\n\n## Here\n',
    'docs/a.md': '## Two words\n\n[gone](b.md) [up](../README.md#there) [code](../src)\n\n```\n[not](a-link.md)\n```\n',
    src: '',
  };
  const read = (path: string): string | null => files[path] ?? null;

  test('follows files, headings, and links within the page; leaves other sites alone', () => {
    expect(papers.brokenLinks('README.md', read)).toEqual([]);
  });

  test('names a link to a file or a heading that is not there, from the folder of its page', () => {
    expect(papers.brokenLinks('docs/a.md', read)).toEqual([
      'Expected a file or heading for the link b.md in docs/a.md but there is none',
      'Expected a file or heading for the link ../README.md#there in docs/a.md but there is none',
    ]);
  });
});

describe('unknownDocuments', () => {
  test('names a document that is cited and not here, once', () => {
    const text = '// docs/method.md, spans\n// (notes-of-mine.md 1.2), notes-of-mine.md 3\n';
    expect(papers.unknownDocuments('src/a.ts', text, new Set(['method.md']))).toEqual([
      'Expected a document of this repository in src/a.ts but it cites notes-of-mine.md',
    ]);
  });
});
