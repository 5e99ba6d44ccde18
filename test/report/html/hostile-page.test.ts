import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeReport } from '../../../src/report/write.ts';
import { hostileRun } from '../hostile-run.ts';
import { syntheticEnvironment } from '../synthetic-run.ts';
import { describeInChromium, launchChromium, STARTING_MS } from './chromium.ts';

let browser: Browser;

describeInChromium('report.html of a hostile run', () => {
  const problems: string[] = [];
  let page: Page;
  beforeAll(async () => {
    const { files } = await makeReport({ ...hostileRun(), environment: syntheticEnvironment });
    const path = join(mkdtempSync(join(tmpdir(), 'hostile-')), 'report.html');
    writeFileSync(path, files.get('report.html') ?? '');
    browser = await launchChromium();
    page = await browser.newPage();
    page.on('console', (message) => problems.push(message.text()));
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('dialog', (dialog) => problems.push(dialog.message()));
    page.on('request', (request) => {
      if (!/^(file|data):/.test(request.url())) problems.push(request.url());
    });
    await page.goto(pathToFileURL(path).href);
    await page.evaluate('dispatchEvent(new Event("beforeprint"))');
    await page.waitForFunction('[...document.querySelectorAll(".plot")].every((box) => box.querySelector("svg[aria-label]"))');
  }, STARTING_MS);
  afterAll(() => browser.close());

  it('draws every chart under its policy, runs and fetches nothing of the labels', async () => {
    expect(await page.locator('.plot svg').count()).toBeGreaterThan(12);
    expect(problems).toEqual([]);
  });

  it('shows hostile answers, prompts and labels as the text that they are', async () => {
    await page.evaluate('(() => { const more = document.querySelector("button.more"); while (!more.hidden) more.click(); })()');
    const articles = page.locator('article.sample');
    expect(await articles.count()).toBeGreaterThan(16);
    expect(await articles.locator('img, script, a, iframe').count()).toBe(0);
    const text = (await articles.first().textContent()) ?? '';
    expect(text).toContain('</script><img src=x onerror=alert(1)>');
    expect(text).not.toMatch(/[\u202e\u2028\u001b]/);
    expect(problems).toEqual([]);
  });

  it('has a policy that refuses a picture and a script from elsewhere', async () => {
    await page.evaluate(`(() => {
      document.body.append(Object.assign(new Image(), { src: 'http://127.0.0.1:9/x.png' }));
      document.body.append(Object.assign(document.createElement('script'), { src: 'http://127.0.0.1:9/x.js' }));
    })()`);
    await expect.poll(() => problems.filter((text) => text.includes('Content Security Policy')).length).toBe(2);
  });
});
