import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { allCharts } from '../../../src/report/all-charts.ts';
import { htmlReport } from '../../../src/report/html/page.ts';
import { loadVegaRuntime } from '../../../src/report/render.ts';
import { selectRecords } from '../../../src/summary/selection.ts';
import { summarize } from '../../../src/summary/summarize.ts';
import { syntheticEnvironment, syntheticRecords, syntheticSuite } from '../synthetic-run.ts';
import { describeInChromium, launchChromium, STARTING_MS } from './chromium.ts';

const suite = syntheticSuite({ samples: 6, methods: ['dense', 'uniform-25', 'moa-25'] });
const records = syntheticRecords(suite);
const summary = summarize({ records, suite });
const selection = selectRecords(records, suite);
const charts = allCharts(summary, selection);
const folder = mkdtempSync(join(tmpdir(), 'report-'));
const file = join(folder, 'report.html');
writeFileSync(file, htmlReport({ summary, selection, environment: syntheticEnvironment, charts }, loadVegaRuntime()));

const problems: string[] = [];
let browser: Browser;
let page: Page;

const background = (): Promise<string> => page.evaluate('getComputedStyle(document.body).backgroundColor');
const markCount = (): Promise<number> => page.evaluate('document.querySelectorAll("[data-chart=retrieval] svg .mark-symbol path").length');

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

  it('shows what was compared, the numbers and the findings on the first screen', async () => {
    expect(await page.textContent('h1')).toBe('A synthetic comparison');
    const tops: number[] = await page.evaluate(
      '[".facts", "table.headline", ".findings li"].map((s) => document.querySelector(s).getBoundingClientRect().top)',
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

  it('shows every headline column on a laptop, and on a phone that there are more', async () => {
    const overflow = (): Promise<number> =>
      page.evaluate('(() => { const box = document.querySelector(".scroll"); return box.scrollWidth - box.clientWidth; })()');
    await page.setViewportSize({ width: 1280, height: 800 });
    expect(await page.locator('table.headline thead th').count()).toBe(10);
    expect(await overflow()).toBe(0);
    await page.setViewportSize({ width: 360, height: 740 });
    expect(await overflow()).toBeGreaterThan(0);
    const [baseline, other] = await page.evaluate<string[]>(
      '[...document.querySelectorAll("table.headline tbody th")].map((th) => getComputedStyle(th).backgroundColor)',
    );
    expect(baseline).not.toBe(other);
    expect(await page.evaluate('getComputedStyle(document.querySelector(".scroll")).backgroundImage')).toContain('gradient');
    await page.setViewportSize({ width: 1200, height: 900 });
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
