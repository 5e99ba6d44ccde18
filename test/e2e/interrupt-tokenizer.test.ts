import { spawn } from 'node:child_process';
import { expect, test } from 'vitest';

const TIME_LIMIT = new URL('../../dist/model/time-limit.js', import.meta.url).href;
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
    if (output === 'ready\n') setTimeout(() => child.kill('SIGINT'), 200);
  });
  const code = await new Promise((done) => child.on('exit', done));
  expect({ code, output }).toEqual({ code: 0, output: 'ready\nABORTED\nhandled\n' });
});
