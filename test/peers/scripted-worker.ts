import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PeerProcess } from '../../src/peers/peer-process.ts';

export const HELLO = { hello: { protocol: 1, engine: 'scripted', versions: { engine: '1.0' }, device: { name: 'none' } } };

/** A peer that says `hello`, and runs `code` with `request` for every request; `say` prints a line. Ends when its stdin does. */
export function scripted(code: string, hello: unknown = HELLO): readonly string[] {
  const script = `
    const say = (line) => console.log(typeof line === 'string' ? line : JSON.stringify(line));
    require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => { const request = JSON.parse(line); ${code} })
      .on('close', () => process.exit());
    ${hello === null ? '' : `say(${JSON.stringify(hello)});`}`;
  return [process.execPath, '-e', script];
}

/** Limits that only the tests of them reach. */
export const LIMITS = { silenceMs: 60_000, standstillMs: 60_000, endMs: 200 };

export function launchScripted(
  command: readonly string[],
  more: Partial<Parameters<typeof PeerProcess.launch>[0]> = {},
): Promise<PeerProcess> {
  const log = join(mkdtempSync(join(tmpdir(), 'peer-')), 'worker.log');
  return PeerProcess.launch({ name: 'scripted', command, log, signal: new AbortController().signal, limits: LIMITS, ...more });
}
