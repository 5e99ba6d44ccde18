import { describe, expect, test } from 'vitest';
import { type GenerateOptions, generate } from '../../src/model/generate.ts';
import { loadModel } from '../../src/model/load.ts';
import type { Backend, Graph } from '../../src/native/backend.ts';
import { GOLDENS, readGolden } from './golden-model.ts';
import { cpuBackend, intercepted, observed, overlay } from './test-backends.ts';

const cpu = cpuBackend();

/** A backend whose graphs are lists of JavaScript calls, and what was done with them. */
function recordingBackend(backend: Backend): { readonly backend: Backend; readonly log: string[] } {
  const log: string[] = [];
  let recording: (() => void)[] | null = null;
  const capture = (record: () => void): Graph => {
    log.push('capture');
    const calls: (() => void)[] = [];
    recording = calls;
    record();
    recording = null;
    return {
      replay: () => {
        log.push('replay');
        for (const call of calls) call();
      },
      dispose: () => log.push('dispose'),
    };
  };
  const recorded = intercepted(backend, (_, value) => {
    if (typeof value !== 'function') return value;
    return (...parameters: unknown[]) => {
      if (recording === null) return value(...parameters);
      recording.push(() => value(...parameters));
    };
  });
  return { backend: overlay(recorded, { capture, traits: { ...backend.traits, graphs: true } }), log };
}

async function run(backend: Backend, name: string, options: Omit<GenerateOptions, 'requests'> & { readonly spans?: Int32Array }) {
  const { tokens } = readGolden(name);
  const model = await loadModel({ path: `${GOLDENS}${name}`, backend });
  const { spans, ...rest } = options;
  const requests = [tokens.subarray(0, 70), tokens.subarray(3, 50)].map((t, i) => ({
    tokens: t,
    maxNewTokens: 8 + 7 * i,
    ...(spans && { spans }),
  }));
  const { outputs } = await generate(model, { requests, stopTokens: [], ...rest });
  model.dispose();
  return outputs;
}

describe('decoding with a graph', () => {
  test.each(['dense', 'static'] as const)('gives the tokens of decoding op by op, in a %s cache', async (cacheKind) => {
    const spans = cacheKind === 'static' ? { spans: Int32Array.of(128, 64 + 64, 192, 128) } : {};
    const expected = await run(cpu, 'llama3', { cacheKind, graph: 'off', ...spans });
    expect(await run(cpu, 'llama3', { cacheKind, graph: 'on', ...spans })).toEqual(expected);
    const { backend, log } = recordingBackend(cpu);
    expect(await run(backend, 'llama3', { cacheKind, ...spans })).toEqual(expected);
    // Two sessions (two sequences, then one) of 7 steps each: the first step runs, the second is recorded, six are replayed.
    const session = ['capture', ...Array.from({ length: 6 }, () => 'replay'), 'dispose'];
    expect(log).toEqual([...session, ...session]);
  });

  test('is not done when switched off, in a growing cache, or with frequencies that follow the length', async () => {
    const { backend, log } = recordingBackend(cpu);
    await run(backend, 'llama3', { cacheKind: 'dense', graph: 'off' });
    await run(backend, 'llama3', { cacheKind: 'dynamic' });
    await run(backend, 'llama-dynamic', { cacheKind: 'dense' });
    expect(log).toEqual([]);
    await run(overlay(backend, { traits: { ...cpu.traits, graphs: false } }), 'llama3', { cacheKind: 'dense', graph: 'on' });
    expect(log).toEqual([]);
  });

  test('enqueues two steps a session and leaves nothing behind', async () => {
    let steps = 0;
    const before = cpu.memory();
    const counted = observed(cpu, (name) => {
      if (name === 'attentionDecode') steps++;
    });
    await run(counted, 'llama3', { cacheKind: 'dense' });
    expect(steps).toBe(2 * 2 * 2); // sessions, steps, layers
    await cpu.synchronize();
    expect(cpu.memory()).toMatchObject({ workspaceBytes: before.workspaceBytes, kvBytes: before.kvBytes });
  });
});
