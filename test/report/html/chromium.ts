import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', '/opt/google/chrome/chrome'];

/** Starts the system's Chromium. Its absence fails the test: a report that nobody opened is not checked. */
export async function launchChromium(): Promise<Browser> {
  const executablePath = [process.env.MOABENCH_CHROMIUM, ...PLACES].find((path) => path !== undefined && path !== '' && existsSync(path));
  if (executablePath === undefined) {
    throw new Error(
      `No Chromium was found (looked at ${PLACES.join(', ')}). Install it (Debian: apt-get install chromium) or set MOABENCH_CHROMIUM to its path.`,
    );
  }
  return chromium.launch({ executablePath, headless: true, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] });
}
