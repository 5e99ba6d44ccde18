import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { HELLO, LIMITS, launchScripted, scripted } from './scripted-worker.ts';

const sum = z.strictObject({ sum: z.number() });
const adds = 'say({ id: request.id, reply: { sum: request.a + request.b } });';

/** Whether a process of this id lives; a zombie does not. */
function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/ Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

async function untilGone(pid: number): Promise<void> {
  while (lives(pid)) await sleep(10);
}

describe('a peer', () => {
  test('says who it is, and answers one request after another', async () => {
    const peer = await launchScripted(scripted(adds));
    expect(peer.hello).toEqual(HELLO.hello);
    expect(await peer.ask({ ask: 'add', a: 1, b: 2 }, sum)).toEqual({ sum: 3 });
    expect(await peer.ask({ ask: 'add', a: 3, b: 4 }, sum)).toEqual({ sum: 7 });
    await peer.close();
  });

  test('tells how far it is before it answers', async () => {
    const peer = await launchScripted(scripted(`say({ alive: true }); say({ progress: { stage: 's', done: 1, total: 2 } }); ${adds}`));
    const steps: unknown[] = [];
    await peer.ask({ ask: 'add', a: 1, b: 2 }, sum, { onProgress: (progress) => steps.push(progress) });
    expect(steps).toEqual([{ stage: 's', done: 1, total: 2 }]);
    await peer.close();
  });

  test('answers on after a request that it could not do', async () => {
    const fails = `if (request.a < 0) say({ id: request.id, failed: { code: 'OUT_OF_MEMORY', message: 'no memory' } }); else ${adds}`;
    const peer = await launchScripted(scripted(fails));
    await expect(peer.ask({ ask: 'add', a: -1, b: 0 }, sum)).rejects.toMatchObject({ code: 'OUT_OF_MEMORY', message: 'no memory' });
    expect(peer.isGone).toBe(false);
    expect(await peer.ask({ ask: 'add', a: 1, b: 0 }, sum)).toEqual({ sum: 1 });
    await peer.close();
  });

  test('has its stderr kept in the log', async () => {
    const log = join(mkdtempSync(join(tmpdir(), 'peer-')), 'worker.log');
    const peer = await launchScripted(scripted(`console.error('words of a library'); ${adds}`), { log });
    await peer.ask({ ask: 'add', a: 1, b: 2 }, sum);
    await peer.close();
    expect(readFileSync(log, 'utf8')).toBe('words of a library\n');
  });
});

describe('one clear error, and no process left, for a peer that', () => {
  const fault = async (code: string): Promise<unknown> => {
    const peer = await launchScripted(scripted(code));
    const error = await peer.ask({ ask: 'add', a: 1, b: 2 }, sum).catch((reason: unknown) => reason);
    expect(peer.isGone).toBe(true);
    expect(await peer.ask({ ask: 'add', a: 1, b: 2 }, sum).catch((reason: unknown) => reason)).toBe(error);
    await peer.close();
    return error;
  };

  test('dies', async () => {
    expect(await fault(`console.error('CUDA error'); process.exit(9);`)).toMatchObject({
      code: 'INTERNAL',
      message: 'The peer scripted ended with exit code 9 in the middle of its work',
      hint: expect.stringMatching(/^Its last words: CUDA error \(more in .*worker\.log\)$/),
    });
  });

  test('prints garbage', async () => {
    expect(await fault(`say('Loading checkpoint shards: 100%');`)).toMatchObject({
      message: expect.stringMatching(/^Expected a reply of the protocol from the worker but received "Loading checkpoint shards: 100%"/),
    });
  });

  test('answers another request', async () => {
    expect(await fault('say({ id: 7, reply: { sum: 3 } });')).toMatchObject({
      message: 'Expected an answer to request 1 from the peer scripted but received {"id":7,"reply":{"sum":3}}',
    });
  });

  test('answers in another form', async () => {
    expect(await fault(`say({ id: request.id, reply: { sum: 'three' } });`)).toMatchObject({
      message: 'Expected a reply to add (sum) from the peer scripted but received {"sum":"three"}',
    });
  });

  test('is of another version', async () => {
    const newer = { hello: { ...HELLO.hello, protocol: 2 } };
    await expect(launchScripted(scripted('', newer))).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      message: 'Expected version 1 of the protocol from the peer scripted but received 2',
    });
  });

  test('ends before it says hello', async () => {
    const command = [process.execPath, '-e', `console.error("No module named 'torch'"); process.exit(1);`];
    await expect(launchScripted(command)).rejects.toMatchObject({ hint: expect.stringContaining("No module named 'torch'") });
  });

  test('says nothing', async () => {
    await expect(launchScripted(scripted('', null), { limits: { ...LIMITS, silenceMs: 50 } })).rejects.toThrow(
      'The peer scripted said nothing for 0.05 s and was ended',
    );
  });

  test('lives but gets nowhere with one request, by the limit of that request', async () => {
    const peer = await launchScripted(scripted('setInterval(() => say({ alive: true }), 10);'));
    await expect(peer.ask({ ask: 'add' }, sum, { standstillMs: 200 })).rejects.toThrow('made no progress for 0.2 s');
    await peer.close();
  });

  test('has started processes that hold its streams', async () => {
    const child = `const child = require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' });`;
    const peer = await launchScripted(scripted(`${child} say({ id: request.id, reply: { sum: child.pid } });`));
    const { sum: pid } = await peer.ask({ ask: 'add' }, sum);
    expect(lives(pid)).toBe(true);
    await peer.close();
    await untilGone(pid);
  });

  test('is not wanted any more', async () => {
    const controller = new AbortController();
    const peer = await launchScripted(scripted(`say({ progress: { stage: 's', done: 0, total: 1 } });`), { signal: controller.signal });
    const asked = peer.ask({ ask: 'add' }, sum, { onProgress: () => controller.abort() });
    await expect(asked).rejects.toMatchObject({ code: 'ABORTED' });
    await peer.close();
  });
});
