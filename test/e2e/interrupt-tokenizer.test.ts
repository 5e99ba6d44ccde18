import { spawn } from 'node:child_process';
import { expect, test } from 'vitest';

const TIME_LIMIT = new URL('../../dist/model/format/time-limit.js', import.meta.url).href;
/** Backtracks for longer than anyone waits, under a limit that is longer too. */
const PROGRAM = `
  const { withinTime } = await import(${JSON.stringify(TIME_LIMIT)});
  process.on('SIGINT', () => console.log('handled'));
  console.log('ready');
  try {
    withinTime({ milliseconds: 3_600_000, what: 'the expression' }, () => /(x+x+)+y/.test('x'.repeat(80)));
  } catch (error) {
    console.log(error.code);
  }
  setTimeout(() => {}, 100);
`;

test('Ctrl-C stops an expression that backtracks without end, and reaches its handlers', async () => {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', PROGRAM], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  // Someone who presses again: the first half second of a call does not hear it.
  const presses = setInterval(() => output.startsWith('ready') && child.kill('SIGINT'), 400);
  const code = await new Promise((done) => child.on('exit', done));
  clearInterval(presses);
  expect(code).toBe(0);
  expect(output).toMatch(/^ready\nABORTED\n(handled\n)+$/);
});
