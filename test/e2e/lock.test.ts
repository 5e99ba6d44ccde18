import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, expect, test } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'moabench-lock-'));
afterAll(() => rmSync(folder, { recursive: true }));

/**
 * Takes the lock again and again. The holder makes a file that must not be there, and then leaves the lock as a killed process does: with the id of a process
 * that is gone. Prints how often it held the lock, and how often together with another.
 */
const CONTENDER = `
import { closeSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { acquireLock } from ${JSON.stringify(resolve('dist/records/lock.js'))};
const [path, rounds] = [process.argv[1], Number(process.argv[2])];
let [held, together] = [0, 0];
for (let round = 0; round < rounds; round++) {
  try { acquireLock(path); } catch (error) { if (error.code !== 'IO') throw error; continue; }
  held++;
  try { closeSync(openSync(path + '.inside', 'wx')); } catch { together++; }
  rmSync(path + '.inside', { force: true });
  const dead = path + '.' + randomUUID();
  writeFileSync(dead, JSON.stringify({ pid: 2 ** 22 + 1, started: '1', host: hostname(), token: randomUUID() }));
  renameSync(dead, path);
}
console.log(JSON.stringify({ held, together }));
`;

function contend(path: string, rounds: number): Promise<{ held: number; together: number }> {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', CONTENDER, path, String(rounds)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (data: Buffer) => {
    output += data.toString();
  });
  return new Promise((done, fail) => {
    child.on('close', (code) => (code === 0 ? done(JSON.parse(output)) : fail(new Error(`a contender ended with ${code}`))));
  });
}

test('of several processes that find a stale lock, again and again, never two hold it at once', async () => {
  const path = join(folder, 'records.jsonl.lock');
  const ends = await Promise.all([1, 2, 3, 4].map(() => contend(path, 400)));
  expect(ends.reduce((sum, { together }) => sum + together, 0)).toBe(0);
  expect(ends.reduce((sum, { held }) => sum + held, 0)).toBeGreaterThan(200);
  expect(readdirSync(folder)).toEqual(['records.jsonl.lock']);
});
