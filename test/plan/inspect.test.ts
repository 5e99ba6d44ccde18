import { describe, expect, it } from 'vitest';
import { colorDepthOf } from '../../src/plan/colors.ts';
import { inspectPlan } from '../../src/plan/inspect.ts';
import { planSvg } from '../../src/plan/svg.ts';
import { samplePlan } from './plans.ts';
import { published } from './published.ts';

const plain = (text: string): string => text.replace(/\u001b\[[\d;]*m/g, '');

describe('inspectPlan', () => {
  it('draws the span map, the rules and the density', () => {
    const lines = inspectPlan(samplePlan(), { lengths: [2048, 4096], color: 'none', width: 80 }).split('\n');
    expect(lines).toContain(' N = 2048  density 0.563   N = 4096  density 0.563');
    expect(lines.some((line) => /^ 0 ▄▂ 0\.375 +0 ▄▁ 0\.313$/.test(line))).toBe(true);
    expect(lines.some((line) => /^ 1 ▄█ 0\.750 +1 ▅█ 0\.813$/.test(line))).toBe(true);
    expect(lines.some((line) => /1\s+25\.0%\s+-512 \+ 0\.75 N$/.test(line))).toBe(true);
    expect(lines.at(-2)).toMatch(/^ {4}2048 █{23}░{17} 0\.5625$/);
  });

  it('shows the same with colours, and never exceeds the width', () => {
    const { plan } = published('gradientai--Llama-3-70B-Instruct-262k.moa', { layers: 80, heads: 64 }, [4096, 16384]);
    for (const width of [40, 80, 200]) {
      const none = inspectPlan(plan, { lengths: [4096, 16384], color: 'none', width });
      expect(none).not.toContain('\u001b');
      expect(Math.max(...none.split('\n').map((line) => line.length))).toBeLessThanOrEqual(width);
      expect(plain(inspectPlan(plan, { lengths: [4096, 16384], color: '256', width }))).toBe(none);
      const full = inspectPlan(plan, { lengths: [4096, 16384], color: 'truecolor', width });
      expect(full).toContain('\u001b[38;2;');
      expect(plain(full)).toBe(none);
    }
  });

  it('refuses no lengths and no room', () => {
    expect(() => inspectPlan(samplePlan(), { lengths: [] })).toThrow(/at least one length/);
    expect(() => inspectPlan(samplePlan(), { lengths: [1024], width: 10 })).toThrow(/40 columns/);
  });
});

describe('colorDepthOf', () => {
  it.each([
    [{ NO_COLOR: '1', COLORTERM: 'truecolor' }, true, 'none'],
    [{ NO_COLOR: '', COLORTERM: 'truecolor' }, true, 'truecolor'],
    [{ TERM: 'xterm-256color' }, true, '256'],
    [{ TERM: 'dumb' }, true, 'none'],
    [{ COLORTERM: 'truecolor' }, false, 'none'],
    [{ FORCE_COLOR: '3' }, false, 'truecolor'],
    [{ FORCE_COLOR: '0', COLORTERM: 'truecolor' }, true, 'none'],
  ] as const)('%j on a terminal: %s gives %s', (env, isTerminal, depth) => {
    expect(colorDepthOf(env, isTerminal)).toBe(depth);
  });
});

describe('planSvg', () => {
  it('has one cell per layer, KV head and length, and refers to nothing outside', () => {
    const svg = planSvg(samplePlan({ name: 'a < b & "c"\u0001' }), { lengths: [2048, 4096] });
    expect(svg.match(/<rect /g)).toHaveLength(2 * 2 * 2);
    expect(svg).toContain('layer 1, KV head 1: 1.000 N');
    expect(svg).toContain('a &lt; b &amp; &quot;c&quot;\ufffd');
    expect(svg.replace('http://www.w3.org/2000/svg', '')).not.toMatch(/https?:|href|url\(|NaN|undefined/);
    const opened = [...svg.matchAll(/<(svg|style|g|text|rect|path|title)\b/g)].length;
    expect(svg.match(/<\/(svg|style|g|text|rect|title|path)>|<(?:rect|path)[^>]*\/>/g)).toHaveLength(opened);
  });
});
