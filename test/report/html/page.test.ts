import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { allCharts } from '../../../src/report/all-charts.ts';
import { htmlReport } from '../../../src/report/html/page.ts';
import { loadVegaRuntime } from '../../../src/report/render.ts';
import { sampleBrowser } from '../../../src/report/samples.ts';
import { selectRecords } from '../../../src/summary/selection.ts';
import { summarize } from '../../../src/summary/summarize.ts';
import { syntheticEnvironment, syntheticRecords, syntheticSuite } from '../synthetic-run.ts';
import { describeInChromium, launchChromium, STARTING_MS } from './chromium.ts';

const suite = syntheticSuite({ samples: 6, methods: ['dense', 'uniform-25', 'moa-25'] });
const records = syntheticRecords(suite);
const summary = summarize({ records, suite });
const selection = selectRecords(records, suite);
const charts = allCharts(summary, selection);
const tables = ['methods', 'retrieval', 'depth', 'scores', 'speed', 'samples', 'losses', 'timings'];
const browserData = sampleBrowser(summary, selection);
const folder = mkdtempSync(join(tmpdir(), 'report-'));
const file = join(folder, 'report.html');
const recordsFile = 'records.jsonl';
writeFileSync(file, htmlReport({ summary, selection, environment: syntheticEnvironment, charts, tables, recordsFile }, loadVegaRuntime()));

const problems: string[] = [];
let browser: Browser;
let page: Page;

const background = (): Promise<string> => page.evaluate('getComputedStyle(document.body).backgroundColor');
const markCount = (): Promise<number> => page.evaluate('document.querySelectorAll("[data-chart=retrieval] svg .mark-symbol path").length');

/** Runs in the page: sets all filters, those that are not named to nothing. */
const filtering = `(filters) => {
  for (const field of document.querySelectorAll('[data-filter]')) {
    field.value = filters[field.dataset.filter] ?? '';
    field.dispatchEvent(new Event('input'));
    field.dispatchEvent(new Event('change'));
  }
  return document.querySelector('.found').textContent;
}`;

describeInChromium('report.html in Chromium', () => {
  beforeAll(async () => {
    browser = await launchChromium();
    page = await browser.newPage({ viewport: { width: 1200, height: 900 }, colorScheme: 'light' });
    page.on('console', (message) => problems.push(`console ${message.type()}: ${message.text()}`));
    page.on('pageerror', (error) => problems.push(`error: ${error.message}`));
    page.on('request', (request) => {
      if (!/^(file|data):/.test(request.url())) problems.push(`request: ${request.url()}`);
    });
    await page.goto(pathToFileURL(file).href);
    await page.evaluate('dispatchEvent(new Event("beforeprint"))');
    await page.waitForFunction('[...document.querySelectorAll(".plot")].every((box) => box.querySelector("svg[aria-label]"))');
  }, STARTING_MS);
  afterAll(() => browser.close());

  it('draws every chart, says nothing on the console and asks for nothing', async () => {
    const plots: number = await page.evaluate('document.querySelectorAll(".plot svg").length');
    expect(plots).toBe(charts.length);
    expect(plots).toBeGreaterThan(12);
    expect(problems).toEqual([]);
  });

  it('answers first, and has the numbers on the first screen', async () => {
    expect(await page.textContent('h1')).toBe('A synthetic comparison');
    const tops: number[] = await page.evaluate(
      '[".claim", "table.headline"].map((s) => document.querySelector(s).getBoundingClientRect().top)',
    );
    expect(Math.max(...tops)).toBeLessThan(900);
    expect(await page.locator('table.headline tbody tr').count()).toBe(3);
  });

  it('filters all charts by method', async () => {
    const before = await markCount();
    await page.click('.methods button[data-method="MoA 25%"]');
    await page.waitForFunction(`document.querySelectorAll("[data-chart=retrieval] svg .mark-symbol path").length < ${before}`);
    expect(await page.locator('figure[data-method="MoA 25%"]:visible').count()).toBe(0);
    await page.click('.methods button[data-method="MoA 25%"]');
    await page.waitForFunction(`document.querySelectorAll("[data-chart=retrieval] svg .mark-symbol path").length === ${before}`);
    expect(await page.locator('figure[data-method="MoA 25%"]:visible').count()).toBeGreaterThan(0);
  });

  it('shows a tooltip', async () => {
    // Again where a chart was still finding its place: the pointer then hovers over nothing.
    await vi.waitFor(async () => {
      await page.mouse.move(0, 0);
      await page.locator('[data-chart=retrieval] svg .mark-symbol path').first().hover({ force: true });
      expect(await page.evaluate('getComputedStyle(document.querySelector(".tip")).visibility')).toBe('visible');
    }, 4000);
    expect(await page.textContent('.tip')).toContain('Accuracy');
  });

  it('fits a phone of 360 px', async () => {
    await page.setViewportSize({ width: 360, height: 740 });
    await page.waitForFunction('[...document.querySelectorAll(".plot svg")].every((svg) => svg.getBoundingClientRect().right <= 360)');
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
    await page.setViewportSize({ width: 1200, height: 900 });
  });

  it('shows every headline column on a laptop', async () => {
    await page.setViewportSize({ width: 1280, height: 800 });
    const [columns, overflow, note] = await page.evaluate<[number, number, string]>(
      `(() => {
        const box = document.querySelector('.scroll');
        const columns = document.querySelectorAll('table.headline thead th').length;
        return [columns, box.scrollWidth - box.clientWidth, getComputedStyle(document.querySelector('.note .narrow')).display];
      })()`,
    );
    expect([columns, overflow, note]).toEqual([11, 0, 'none']);
  });

  it.each([400, 360])('shows every headline number under its name on a phone of %i px, nothing sideways', async (width) => {
    await page.setViewportSize({ width, height: 740 });
    const { cells, note } = await page.evaluate<{
      cells: { left: number; right: number; name: string; size: number }[];
      note: string;
    }>(
      `({
        cells: [...document.querySelectorAll('table.headline td')].map((td) => {
          const { left, right } = td.getBoundingClientRect();
          return { left, right, name: getComputedStyle(td, '::before').content, size: parseFloat(getComputedStyle(td).fontSize) };
        }),
        note: getComputedStyle(document.querySelector('.note .narrow')).display,
      })`,
    );
    expect(cells).toHaveLength(30);
    expect(cells.filter(({ left, right, size }) => left < 0 || right > width || size < 11)).toEqual([]);
    expect(cells.slice(0, 10).map(({ name }) => name)).toEqual(cells.slice(10, 20).map(({ name }) => name));
    expect(cells[0]?.name).toBe('"KV memory"');
    expect(note).toBe('inline');
  });

  describe('the sample browser', () => {
    const total = browserData?.total ?? 0;
    const [question] = browserData?.questions ?? [];
    /** How many questions the browser says that it found with these filters. */
    const found = (filters: { readonly [name: string]: string }): Promise<string> =>
      page.evaluate(`(${filtering})(${JSON.stringify(filters)})`);

    it('lists every question, some at a time, its prompt folded', async () => {
      expect(await found({})).toBe(`${total} of ${total} questions`);
      expect(await page.locator('article.sample').count()).toBeLessThan(total);
      await page.evaluate('(() => { const more = document.querySelector("button.more"); while (!more.hidden) more.click(); })()');
      expect(await page.locator('article.sample').count()).toBe(total);
      expect(await page.locator('article.sample pre').first().isVisible()).toBe(false);
      const shown = await page.evaluate<string[]>(
        '["pre", ".expected", "dt", "dd:not(.verdict)"].flatMap((s) => [...document.querySelector("article.sample").querySelectorAll(s)].map((e) => e.textContent))',
      );
      const answers = question?.answers.map(({ output }) => output) ?? [];
      expect(shown).toEqual([`\u2026${question?.prompt}`, `Expected ${question?.expected}`, 'Dense', 'Uniform 25%', 'MoA 25%', ...answers]);
    });

    it('shows what a method lost by one click', async () => {
      const lost = browserData?.changes.find(({ method }) => method === 'Uniform 25%')?.lost ?? 0;
      await page.click('.pick[data-method="Uniform 25%"][data-outcome=lost]');
      expect(await page.textContent('.found')).toBe(`${lost} of ${total} questions`);
      expect(await page.locator('article.sample').first().locator('dd.verdict').nth(1).textContent()).toMatch(/ lost$/);
    });

    it('filters by method, outcome, task, length and text, which narrow each other', async () => {
      const wanted = browserData?.questions.filter(
        ({ task, length, answers }) => task === 'lines' && length === 2048 && answers[2]?.right === false,
      );
      expect(await found({ method: 'MoA 25%', outcome: 'wrong', task: 'lines', length: '2048' })).toBe(
        `${wanted?.length} of ${total} questions`,
      );
      expect(await found({ text: (question?.answers[0]?.output ?? '').toUpperCase() })).toBe(`1 of ${total} questions`);
      expect(await found({ text: 'nobody said this' })).toBe(`0 of ${total} questions`);
    });
  });

  it.each([360, 400, 700, 1200])('has axis labels from end to end that do not touch, at %i px', async (width) => {
    await page.setViewportSize({ width, height: 740 });
    await page.waitForFunction(`[...document.querySelectorAll(".plot svg")].every((svg) => svg.getBoundingClientRect().right <= ${width})`);
    const labels = await page.evaluate<{ text: string; left: number; right: number }[]>(
      `[...document.querySelectorAll("[data-chart=ablation-1] svg .role-axis-label text")]
        .filter((text) => /%$/.test(text.textContent) && getComputedStyle(text).opacity !== "0" && text.getAttribute("opacity") !== "0")
        .map((text) => ({ text: text.textContent, left: text.getBoundingClientRect().left, right: text.getBoundingClientRect().right }))
        .filter(({ text }) => /^\\d/.test(text))`,
    );
    expect([labels.at(0)?.text, labels.at(-1)?.text]).toEqual(['0%', '100%']);
    for (const [i, label] of labels.slice(1).entries()) expect(label.left - (labels[i]?.right ?? 0)).toBeGreaterThan(4);
    await page.setViewportSize({ width: 1200, height: 900 });
  });

  it('is dark when the reader prefers dark', async () => {
    const luminance = (colour: string): number =>
      (colour.match(/\d+/g) ?? []).slice(0, 3).reduce((sum, channel) => sum + Number(channel), 0) / 765;
    expect(luminance(await background())).toBeGreaterThan(0.9);
    await page.emulateMedia({ colorScheme: 'dark' });
    expect(luminance(await background())).toBeLessThan(0.15);
    const ink: string = await page.evaluate('getComputedStyle(document.querySelector("[data-chart=retrieval] svg text")).fill');
    expect(luminance(ink)).toBeGreaterThan(0.5);
    await page.emulateMedia({ colorScheme: 'light' });
  });

  it('has names for everything that is not text', async () => {
    expect(await page.evaluate('[...document.querySelectorAll("[role=region], [role=img], [role=group]")].every((e) => e.ariaLabel)')).toBe(
      true,
    );
    expect(await page.evaluate('document.documentElement.lang')).toBe('en');
    expect(
      await page.evaluate(
        '[...document.querySelectorAll("figure")].every((f) => f.querySelector("figcaption") && f.querySelector("table"))',
      ),
    ).toBe(true);
    expect(problems).toEqual([]);
  });
});
