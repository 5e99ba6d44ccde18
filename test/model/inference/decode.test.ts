import { describe, expect, test } from 'vitest';
import { type GenerateOptions, generate } from '../../../src/model/inference/generate.ts';
import { loadModel } from '../../../src/model/load.ts';
import type { Backend, CachePolicy, Graph } from '../../../src/native/backend.ts';
import { goldenModel, readGolden } from '../golden-model.ts';
import { spanned, whole } from '../layouts.ts';
import { cpuBackend, intercepted, observed, overlay } from '../test-backends.ts';

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

interface RunOptions extends Omit<GenerateOptions, 'requests'> {
  readonly kind?: CachePolicy;
}

async function run(backend: Backend, name: string, { kind = 'full', ...options }: RunOptions) {
  const { tokens } = readGolden(name);
  const model = await loadModel({ path: goldenModel(name), backend });
  const requests = [tokens.subarray(0, 70), tokens.subarray(3, 50)].map((t, i) => {
    const [maxNewTokens, total] = [8 + 7 * i, t.length + 8 + 7 * i];
    const layout = kind === 'ring' ? spanned(model, [128, 128, 192, 128], { tokens: total }) : whole(model, total, { kind });
    return { tokens: t, maxNewTokens, layout };
  });
  const { outputs } = await generate(model, { requests, stopTokens: [], ...options });
  model.dispose();
  return outputs;
}

describe('decoding with a graph', () => {
  test.each(['full', 'ring'] as const)('gives the tokens of decoding op by op, in a %s cache', async (kind) => {
    const expected = await run(cpu, 'llama3', { kind, graph: 'off' });
    expect(await run(cpu, 'llama3', { kind, graph: 'on' })).toEqual(expected);
    const { backend, log } = recordingBackend(cpu);
    expect(await run(backend, 'llama3', { kind })).toEqual(expected);
    // Two sessions (two sequences, then one) of 7 steps each: the first step runs, the second is recorded, six are replayed.
    const session = ['capture', ...Array.from({ length: 6 }, () => 'replay'), 'dispose'];
    expect(log).toEqual([...session, ...session]);
  });

  test('is not done when switched off, in a growing cache, or with frequencies that follow the length', async () => {
    const { backend, log } = recordingBackend(cpu);
    await run(backend, 'llama3', { kind: 'full', graph: 'off' });
    await run(backend, 'llama3', { kind: 'dynamic' });
    await run(backend, 'llama-dynamic', { kind: 'full' });
    expect(log).toEqual([]);
    await run(overlay(backend, { traits: { ...cpu.traits, graphs: false } }), 'llama3', { kind: 'full', graph: 'on' });
    expect(log).toEqual([]);
  });

  test('enqueues two steps a session and leaves nothing behind', async () => {
    let steps = 0;
    const before = cpu.memory();
    const counted = observed(cpu, (name) => {
      if (name === 'attentionDecode') steps++;
    });
    await run(counted, 'llama3', { kind: 'full' });
    expect(steps).toBe(2 * 2 * 2); // sessions, steps, layers
    await cpu.synchronize();
    expect(cpu.memory()).toMatchObject({ workspaceBytes: before.workspaceBytes, kvBytes: before.kvBytes });
  });
});
