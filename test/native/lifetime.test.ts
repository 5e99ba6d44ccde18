import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { addonPath } from '../../src/native/addon.ts';

// How a process or a worker thread ends while the stream works: by itself when idle, never by a crash.

const SETUP = `
  const addon = require(${JSON.stringify(addonPath())});
  const backend = addon.createCpuBackend({ threads: 2 });
  const a = backend.tensor('f32', [256, 256]);
  const out = backend.tensor('f32', [256, 256]);
  const work = () => { for (let i = 0; i < 12; i++) backend.gemm({ a, b: a, out, transposeB: true }); };
`;

/** Exit code, signal and output of a node process that runs the code. */
async function runProcess(code: string): Promise<{ readonly code: number; readonly stdout: string }> {
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', SETUP + code]).catch((error: unknown) => {
    const { code: exit, signal, stdout: out, stderr } = error as { code: number; signal: string | null; stdout: string; stderr: string };
    if (signal !== null || exit > 100) throw new Error(`ended by ${signal ?? exit}: ${stderr}`);
    return { stdout: `${out}exit ${exit}` };
  });
  return { code: 0, stdout };
}

async function runWorker(code: string, during: (worker: Worker) => Promise<unknown>): Promise<number> {
  // Without the flags of the test's own process: module hooks of its TypeScript loader do not survive a worker that is terminated.
  const worker = new Worker(SETUP + code, { eval: true, execArgv: [] });
  const exit = new Promise<number>((resolve, reject) => worker.once('exit', resolve).once('error', reject));
  await during(worker);
  return exit;
}

describe('a process', () => {
  test('ends by itself with an idle backend that nobody disposed', async () => {
    expect(await runProcess(`backend.synchronize().then(() => console.log('done'));`)).toMatchObject({ stdout: 'done\n' });
  });

  test('stays until its promises are settled', async () => {
    expect(await runProcess(`work(); out.read().then((values) => console.log(values.length));`)).toMatchObject({ stdout: '65536\n' });
  });

  test('ends by itself with work that nobody waits for', async () => {
    expect(await runProcess(`work(); console.log('left');`)).toMatchObject({ stdout: 'left\n' });
  });

  test('exits at once from the middle of work', async () => {
    expect(await runProcess(`work(); out.read(); setImmediate(() => process.exit(7));`)).toMatchObject({ stdout: 'exit 7' });
  });
});

describe('a worker thread', () => {
  test('ends by itself, with work left or done', async () => {
    const nothing = () => Promise.resolve();
    expect(await runWorker('work();', nothing)).toBe(0);
    expect(await runWorker('work(); backend.dispose();', nothing)).toBe(0);
    expect(await runWorker('work(); out.read();', nothing)).toBe(0);
  });

  test('is terminated in the middle of work, again and again', async () => {
    const terminate = (worker: Worker) =>
      new Promise((resolve) => {
        worker.once('message', () => resolve(worker.terminate()));
      });
    const code = `
      const cache = backend.kvCache({ policy: 'dynamic', sequences: 1, layers: 1, kvHeads: 1, headDim: 8, dtype: 'f32', sink: 0, capacities: new Int32Array(0) });
      require('node:worker_threads').parentPort.postMessage('started');
      (async () => { for (;;) { work(); cache.reset(0); await Promise.all([out.read(), cache.lengths()]); } })();`;
    for (let i = 0; i < 5; i++) expect(await runWorker(code, terminate)).toBe(1);
  });
});
