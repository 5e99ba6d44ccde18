import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { printable } from '../../../src/core/printable.ts';
import { escapeText, html, jsonScript } from '../../../src/report/html/markup.ts';

describe('html', () => {
  it('shows what would turn the writing direction or end a line', () => {
    expect(escapeText('a\u202eb\u001bc')).toBe('a\\u202eb\\u001bc');
    expect(JSON.parse(jsonScript({ text: ['a\u202eb\u2028c\n'] }).text)).toEqual({ text: ['a\\u202eb\\u2028c\n'] });
  });

  it('escapes text, keeps markup, joins lists, drops null', () => {
    expect(html`<p title="${'a"b'}">${'<b>'}${html`<i>${1}</i>`}${[html`x`, html`y`]}${null}</p>`.text).toBe(
      '<p title="a&quot;b">&lt;b&gt;<i>1</i>xy</p>',
    );
  });

  it('never lets text become markup', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(escapeText(text)).not.toMatch(/[<>"']/);
        const script = jsonScript({ text }).text;
        expect(script).not.toContain('<');
        expect(JSON.parse(script)).toEqual({ text: printable(text) });
      }),
    );
  });
});
