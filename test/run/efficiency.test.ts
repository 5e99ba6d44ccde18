import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MoaError } from '../../src/core/errors.ts';
import type { LanguageModel } from '../../src/model/inference/language-model.ts';
import { loadModel } from '../../src/model/load.ts';
import type { Backend, KvCacheSpec } from '../../src/native/backend.ts';
import { captureEnvironment } from '../../src/records/environment.ts';
import { type RecordOf, recordsOf } from '../../src/records/record.ts';
import { RecordStore } from '../../src/records/store.ts';
import { createTfjsBackend } from '../../src/reference/tfjs-backend.ts';
import type { RunContext } from '../../src/run/context.ts';
import { runMaxBatch } from '../../src/run/efficiency.ts';
import { makePlans } from '../../src/run/make-plans.ts';
import { Stretch } from '../../src/run/stretch.ts';
import { type Cell, expandCells } from '../../src/suite/cells.ts';
import { suiteSchema } from '../../src/suite/schema.ts';

const suite = suiteSchema.parse({
  version: 1,
  name: 'device',
  model: { path: 'dummy:tiny', kvDType: 'bf16' },
  backend: { name: 'cuda', activations: 'bf16' },
  methods: [{ id: 'dense', method: 'dense' }],
  efficiency: {
    maxBatch: { length: 128, memoryLimitMiB: 1024, largest: 16 },
  },
});
const DEVICE = { freeBytes: 7e6, totalBytes: 80e6, poolReservedBytes: 50, poolUsedBytes: 20 };
const full = (): MoaError => new MoaError('Expected device memory but there is none', { code: 'OUT_OF_MEMORY' });

/** Of the caches that were asked for. */
const policies = new Set<string>();

/**
 * The reference as a device with room for caches of three sequences, whatever the limit says. Running out is told twice, as on a stream: by
 * the call, and by the next synchronization, whoever asks for it.
 */
function smallDevice(reference: Backend): Backend {
  let failed = false;
  return {
    ...reference,
    memory: () => ({ ...reference.memory(), device: DEVICE }),
    kvCache(spec: KvCacheSpec) {
      policies.add(spec.policy);
      if (spec.sequences <= 3) return reference.kvCache(spec);
      failed = true;
      throw full();
    },
    synchronize() {
      const wasFailed = failed;
      failed = false;
      return wasFailed ? Promise.reject(full()) : reference.synchronize();
    },
  };
}

let reference: Backend;
let model: LanguageModel;
let context: RunContext;
const folder = mkdtempSync(join(tmpdir(), 'efficiency-'));
beforeAll(async () => {
  reference = await createTfjsBackend();
  model = await loadModel({ path: suite.model.path, backend: smallDevice(reference), activationDType: 'bf16' });
  const plans: RunContext['plans'] = new Map();
  const store = RecordStore.open(join(folder, 'records.jsonl'));
  const identity = { model: {}, native: {}, device: {}, code: { plan: {}, quality: {}, samples: {}, timing: {} }, data: () => ({}) };
  const signal = new AbortController().signal;
  const details = { name: 'cuda', description: model.backend.description, details: {} };
  const stretch = new Stretch({ store, folder, environment: captureEnvironment({ root: folder, backend: details }) });
  const quiet = { onProgress: () => {}, onNote: () => {} };
  context = { suite, suiteFolder: folder, folder, model, identity, store, stretch, plans, substitutions: new Set(), signal, ...quiet };
  await makePlans(context, cellsOf('plan'));
});
afterAll(async () => {
  context.store.close();
  model.dispose();
  await reference.dispose();
  rmSync(folder, { recursive: true });
});

function cellsOf<K extends Cell['kind']>(kind: K): Extract<Cell, { kind: K }>[] {
  return expandCells(suite).filter((cell): cell is Extract<Cell, { kind: K }> => cell.kind === kind);
}

function last<K extends 'capacity' | 'outcome'>(kind: K): RecordOf<K> | undefined {
  return recordsOf(context.store.records, kind).at(-1);
}

describe('on a device', () => {
  test('a batch that runs out below the limit does not fit, and leaves nothing behind', async () => {
    await runMaxBatch(context, cellsOf('maxBatch'));
    expect(last('outcome')).toMatchObject({ status: 'completed' });
    expect(last('capacity')).toMatchObject({
      cache: 'full',
      maxBatch: 3,
      stopped: 'memory',
      memoryLimitBytes: 2 ** 30,
      trials: [
        { batch: 1, fits: true },
        { batch: 2, fits: true },
        { batch: 4, fits: false, peakBytes: null, reason: expect.any(String) },
        { batch: 3, fits: true, reason: null },
      ],
      deviceMemory: DEVICE,
    });
    expect([...policies]).toEqual(['full']); // what the record says is what ran
    expect(reference.memory()).toMatchObject({ kvBytes: 0 });
  });
});
