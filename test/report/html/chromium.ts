import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';
import { describeWith } from '../../needs.ts';

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', '/opt/google/chrome/chrome'];

const executablePath = [process.env.MOABENCH_CHROMIUM, ...PLACES].find((path) => path !== undefined && path !== '' && existsSync(path));

/** Tests of what a browser shows. Without a Chromium they are not run, which is said; in CI that is a failure: a report that nobody opened is not checked. */
export const describeInChromium = describeWith({
  what: 'Chromium',
  found: executablePath !== undefined,
  how: `Debian: apt-get install chromium; or set MOABENCH_CHROMIUM to its path (looked at ${PLACES.join(', ')})`,
});

/** How long a browser takes to start and draw a page on a loaded machine is no matter of a test: this only ends hangs. */
export const STARTING_MS = 120_000;

/** Starts the system's Chromium. */
export async function launchChromium(): Promise<Browser> {
  if (executablePath === undefined) throw new Error('Expected a Chromium');
  return chromium.launch({ executablePath, headless: true, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] });
}
