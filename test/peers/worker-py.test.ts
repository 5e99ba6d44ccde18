// python/moabench_peers/worker.py, with an engine of the standard library alone.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { PeerProcess } from '../../src/peers/peer-process.ts';
import { describeWith } from '../needs.ts';
import { LIMITS } from './scripted-worker.ts';

const ENGINE = `
import subprocess, sys, time
from moabench_peers.worker import Lost, Unavailable, serve

def describe():
    print("words of a library")
    return {"versions": {"engine": "1.0", "other": None}, "device": {"name": "none"}}

def add(request):
    return {"sum": request["a"] + request["b"]}

def lack(request):
    raise Unavailable("no such kernel")

def lose(request):
    raise Lost("the device was lost")

def child(request):
    return {"pid": subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]).pid}

def stall(request):
    print("stalling", file=sys.stderr, flush=True)
    time.sleep(600)

serve("test", describe, {"add": add, "lack": lack, "lose": lose, "child": child, "stall": stall})
`;

const hasPython = (() => {
  try {
    execFileSync('python3', ['--version']);
    return true;
  } catch {
    return false;
  }
})();

describeWith({ what: 'python3', found: hasPython, how: 'apt-get install python3' })("the peer's side in Python", () => {
  const folder = mkdtempSync(join(tmpdir(), 'engine-'));
  const engine = join(folder, 'engine.py');
  writeFileSync(engine, ENGINE);
  const log = join(folder, 'worker.log');
  const launch = (): Promise<PeerProcess> =>
    PeerProcess.launch({
      name: 'test',
      command: ['python3', engine],
      env: { PYTHONPATH: 'python' },
      log,
      signal: new AbortController().signal,
      limits: LIMITS,
    });
  const gone = (pid: number): boolean => {
    try {
      return / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
    } catch {
      return true;
    }
  };
  const untilGone = async (pid: number): Promise<void> => {
    while (!gone(pid)) await new Promise((resolve) => setTimeout(resolve, 10));
  };

  test('says hello and answers; what libraries print goes into the log', async () => {
    const peer = await launch();
    expect(peer.hello).toEqual({
      protocol: 1,
      engine: 'test',
      versions: { engine: '1.0', other: null },
      device: { name: 'none' },
    });
    expect(await peer.ask({ ask: 'add', a: 1, b: 2 }, z.strictObject({ sum: z.number() }))).toEqual({ sum: 3 });
    await peer.close();
    expect(readFileSync(log, 'utf8')).toContain('words of a library');
  });

  test('tells what it could not do, and goes on', async () => {
    const peer = await launch();
    await expect(peer.ask({ ask: 'lack' }, z.unknown())).rejects.toMatchObject({ code: 'UNAVAILABLE', message: 'no such kernel' });
    await expect(peer.ask({ ask: 'add', a: 1 }, z.unknown())).rejects.toMatchObject({ code: 'INTERNAL', message: "KeyError: 'b'" });
    await expect(peer.ask({ ask: 'other' }, z.unknown())).rejects.toThrow(
      'Expected one of add, lack, lose, child, stall for ask but received other',
    );
    expect(await peer.ask({ ask: 'add', a: 1, b: 2 }, z.unknown())).toEqual({ sum: 3 });
    await peer.close();
  });

  test('ends when its device is lost', async () => {
    const peer = await launch();
    await expect(peer.ask({ ask: 'lose' }, z.unknown())).rejects.toMatchObject({
      message: 'The peer test ended with exit code 3 in the middle of its work',
      hint: expect.stringContaining('lose: the device was lost'),
    });
    await peer.close();
  });

  test('leaves no process that it started', async () => {
    const peer = await launch();
    const { pid } = await peer.ask({ ask: 'child' }, z.strictObject({ pid: z.int() }));
    expect(gone(pid)).toBe(false);
    await peer.close();
    await untilGone(pid);
  });

  test('ends in the middle of its work when what started it is gone', async () => {
    const worker = spawn('python3', [engine], {
      env: { ...process.env, PYTHONPATH: 'python' },
      stdio: ['pipe', 'ignore', 'pipe'],
      detached: true,
    });
    worker.stdin.write('{"id": 1, "ask": "stall"}\n');
    await new Promise((resolve) => worker.stderr.on('data', (data) => String(data).includes('stalling') && resolve(null)));
    worker.stdin.end();
    await new Promise((resolve) => worker.on('exit', resolve));
  });
});
