import { expect, test } from 'vitest';
import { fenced, inline, text } from '../../src/report/markdown-text.ts';

test.each([
  ['![x](http://a.b/c.png)', '![x\\](http:\\//a.b/c.png)'],
  ['[x][y] and [z]: u', '[x\\][y] and [z\\]: u'],
  ['a | b `c` *d* _e_ <img src=x> &lt; ~~f~~ $g$ \\', 'a \\| b \\`c\\` \\*d\\* \\_e\\_ \\<img src=x\\> \\&lt; \\~\\~f\\~\\~ \\$g\\$ \\\\'],
  ['one\n# two\r\n\r\n```sh', 'one # two  \\`\\`\\`sh'],
  ['see www.evil.org, a@b.c', 'see www\\.evil.org, a\\@b.c'],
  ['\u202eflip\u001b[31m\u2028', '\\\\u202eflip\\\\u001b[31m\\\\u2028'],
  ['81.2% [74.1%, 86.9%] (65/80)', '81.2% [74.1%, 86.9%] (65/80)'],
])('%j shows as it is: %j', (value, expected) => {
  expect(inline(value)).toBe(expected);
});

test.each([
  ['# no heading', '\\# no heading'],
  ['- no list', '\\- no list'],
  ['  + no list', '  \\+ no list'],
  ['12. no list', '12\\. no list'],
  ['=== no underline', '\\=== no underline'],
  ['1.5x faster', '1\\.5x faster'],
  ['plain - text #1', 'plain - text #1'],
])('%j starts no block: %j', (value, expected) => {
  expect(text(value)).toBe(expected);
});

test('a fence is longer than any in what it holds', () => {
  expect(fenced('a\n````\n# b\u001b', 'sh')).toBe('`````sh\na\n````\n# b\\u001b\n`````');
});
