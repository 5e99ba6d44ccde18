import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { validationLosses } from '../../src/compress/validate.ts';
import type { AttentionPrefillParams, Backend, KvCacheSpec } from '../../src/native/backend.ts';
import type { Plan } from '../../src/plan/schema.ts';
import { recordsOf } from '../../src/records/record.ts';
import type { RunContext } from '../../src/run/context.ts';
import { runQuality } from '../../src/run/quality.ts';
import { samplesFor } from '../../src/run/samples.ts';
import type { QualityCell } from '../../src/suite/cells.ts';
import { cpuBackend, intercepted, observed } from '../model/test-backends.ts';
import { cellsOf, tinyContext, tinyModelFolder } from './tiny-context.ts';

const cpu = cpuBackend();
const modelFolder = tinyModelFolder();
const METHODS = [
  { id: 'dense', method: 'dense' },
  { id: 'sinkless', method: 'streaming', sinkTokens: 0, windowTokens: 256 },
  { id: 'sinks', method: 'streaming', sinkTokens: 128, windowTokens: 128 },
  { id: 'share', method: 'streaming', density: 0.25 },
];

/** The backend, with the specifications of the caches that were asked of it. */
function cacheRecorder(backend: Backend): { readonly backend: Backend; readonly specs: KvCacheSpec[] } {
  const specs: KvCacheSpec[] = [];
  const recording = intercepted(backend, (key, value) => {
    if (key !== 'kvCache' || typeof value !== 'function') return value;
    return (spec: KvCacheSpec) => {
      specs.push(spec);
      return value(spec);
    };
  });
  return { backend: recording, specs };
}

async function scored(context: RunContext, kind: QualityCell['kind']): Promise<void> {
  await runQuality(context, cellsOf(context.suite, kind));
  const bad = recordsOf(context.store.records, 'outcome').filter((outcome) => outcome.status !== 'completed');
  expect(bad).toEqual([]);
}

describe('generation.batch', () => {
  const quality = { retrieval: { lengths: [512], samples: 3 } };
  const answers = (context: RunContext) =>
    recordsOf(context.store.records, 'sample')
      .map(({ method, sampleId, output, newTokens, finish, kvBytes }) => ({ method, sampleId, output, newTokens, finish, kvBytes }))
      .sort((a, b) => `${a.method} ${a.sampleId}`.localeCompare(`${b.method} ${b.sampleId}`));

  const { backend, specs } = cacheRecorder(cpu);
  let alone: RunContext;
  let together: RunContext;
  beforeAll(async () => {
    alone = await tinyContext(cpu, modelFolder, { methods: METHODS.slice(2, 3), quality });
    await scored(alone, 'retrieval');
    together = await tinyContext(backend, modelFolder, { methods: METHODS.slice(2, 3), quality, generation: { batch: 2 } });
    await scored(together, 'retrieval');
  });

  test('generates that many samples together, and each has the record that it has alone, but for times', () => {
    expect(specs.map(({ sequences, sink }) => [sequences, sink])).toEqual([
      [2, 128],
      [1, 128],
    ]);
    expect(answers(together)).toEqual(answers(alone));
    for (const { kvBytes } of answers(together)) expect(kvBytes.resident).toBe(kvBytes.planned);
    const times = (context: RunContext) =>
      recordsOf(context.store.records, 'sample').map(({ prefillMs, decodeMs }) => [prefillMs, decodeMs]);
    expect(times(alone).flat()).not.toContain(null);
    expect(times(together)).toEqual([
      [null, null],
      [null, null],
      [expect.any(Number), expect.any(Number)],
    ]); // the last one was alone
  });

  test('goes on with the samples that an interrupted run left', async () => {
    const context = await tinyContext(cpu, modelFolder, { methods: METHODS.slice(0, 1), quality, generation: { batch: 2 } });
    const [cell] = cellsOf(context.suite, 'retrieval');
    if (cell === undefined) throw new Error('the suite has a retrieval cell');
    await runQuality(context, [{ ...cell, samples: 1 }]);
    const before = recordsOf(context.store.records, 'sample').map(({ sampleId }) => sampleId);
    await scored(context, 'retrieval');
    const ids = recordsOf(context.store.records, 'sample').map(({ sampleId }) => sampleId);
    expect(before).toHaveLength(1);
    expect(new Set(ids).size).toBe(3);
  });
});

test("each plan's sink and spans reach the cache", async () => {
  const { backend, specs } = cacheRecorder(cpu);
  const context = await tinyContext(backend, modelFolder, {
    methods: METHODS,
    quality: { perplexity: { tasks: ['lines'], length: 512, samples: 1 } },
  });
  await scored(context, 'perplexity');
  expect(specs.map(({ policy, sink, capacities }) => [policy, sink, capacities[0]])).toEqual([
    ['full', 0, expect.any(Number)],
    ['ring', 0, 256],
    ['ring', 128, 256],
    ['ring', 64, 128],
  ]);
  const losses = recordsOf(context.store.records, 'loss').map(({ sumLoss }) => sumLoss.toFixed(6));
  expect(new Set(losses).size).toBe(4);
});

test('a plan is validated in the cache, and at the loss, that it is scored with', async () => {
  const { backend, specs } = cacheRecorder(cpu);
  const parts = {
    methods: METHODS.slice(3),
    generation: { reserveTokens: 1024, chunkTokens: 128 },
    quality: { perplexity: { tasks: ['lines'], length: 512, samples: 1 } },
  };
  const context = await tinyContext(backend, modelFolder, parts);
  await scored(context, 'perplexity');
  const scoredIn = specs.splice(0);
  const [cell] = cellsOf(context.suite, 'perplexity');
  const plan = context.plans.get('share');
  if (cell === undefined || plan === undefined) throw new Error('the suite has a cell and a plan');
  const items = [];
  for await (const sample of samplesFor(context, cell)) items.push(itemOf(context, sample));
  const set = { format: 'moabench-calibration', version: 2, weightsHash: '', identity: '', seed: '', length: 512, items } as const;
  const { generation, model } = context.suite;
  const losses = await validationLosses(
    context.model,
    [plan] satisfies Plan[],
    { ...set, items },
    { generation, kvDType: model.kvDType, mean: 'samples' },
  );
  expect(specs).toEqual(scoredIn);
  expect(scoredIn[0]?.capacities[0]).toBe(384); // a quarter of prompt and reserve, where the sequence alone would get 128
  const [record] = recordsOf(context.store.records, 'loss');
  expect(losses).toEqual([(record?.sumLoss ?? 0) / (record?.answerTokens ?? 0)]);
});

function itemOf(
  { model }: RunContext,
  sample: { readonly id: string; readonly task: string; readonly prompt: string; readonly completion?: string | undefined },
) {
  const prompt = [...model.tokenizer.encode(sample.prompt)];
  const answer = [...model.tokenizer.encode(sample.completion ?? '')];
  return { id: sample.id, task: sample.task, tokens: [...prompt, ...answer], answerStart: prompt.length };
}

test('chunkTokens bounds the rows of everything that reads a prompt', async () => {
  let most = 0;
  const backend = observed(cpu, (name, params) => {
    if (name === 'attentionPrefill' && (params as AttentionPrefillParams).cache !== undefined)
      most = Math.max(most, (params as AttentionPrefillParams).segments[1] ?? 0);
  });
  const parts = (chunkTokens: number) => ({
    methods: [METHODS[0], { id: 'moa', method: 'moa', density: 0.5, heterogeneity: 'uniform' }],
    generation: { chunkTokens },
    compress: {
      calibration: { tasks: ['lines'], samplesPerLength: 1, answerTokens: 4 },
      profileLengths: [512],
      constrainLengths: [512],
      validate: { length: 640, samples: 1 },
    },
    quality: { retrieval: { lengths: [512], samples: 1 }, perplexity: { tasks: ['lines'], length: 512, samples: 1 } },
  });
  for (const chunkTokens of [64, 192]) {
    most = 0;
    const context = await tinyContext(backend, modelFolder, parts(chunkTokens));
    expect(most, 'calibration and validation').toBe(chunkTokens);
    for (const kind of ['retrieval', 'perplexity'] as const) {
      most = 0;
      await scored(context, kind);
      expect(most, kind).toBe(chunkTokens);
    }
  }
});

describe('data that turn out to be bad', () => {
  const item = {
    input: '',
    context: 'def f(x):',
    answers: ['    return x'],
    length: 3,
    dataset: 'lcc',
    language: 'code',
    all_classes: null,
  };
  const parts = {
    methods: METHODS,
    quality: { longbench: { tasks: ['lcc'], length: 256, samples: 2, source: { kind: 'longbench', folder: '.' } } },
  };
  const ends = (context: RunContext) =>
    recordsOf(context.store.records, 'outcome').flatMap((end) =>
      end.cellId.startsWith('plan/')
        ? []
        : [[end.method, end.status === 'failed' ? end.error.message : end.status === 'skipped' ? end.reason : end.status]],
    );
  const write = ({ suiteFolder }: RunContext, ...lines: readonly object[]): void =>
    writeFileSync(join(suiteFolder, 'lcc.jsonl'), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  const see = 'its samples could not be made or read: see longbench/lcc/256/dense';
  const once = (context: RunContext) => [
    ['dense', expect.stringContaining(`${join(context.suiteFolder, 'lcc.jsonl')}:2`)],
    ['sinkless', see],
    ['sinks', see],
    ['share', see],
  ];

  test('are told once, by the first method; the others say where to look', async () => {
    const context = await tinyContext(cpu, modelFolder, parts);
    write(context, { ...item, _id: 'a' }, { ...item, _id: 'b', answers: 7 });
    await runQuality(context, cellsOf(context.suite, 'longbench'));
    expect(ends(context)).toEqual(once(context));
    expect(recordsOf(context.store.records, 'sample')).toEqual([]);
  });

  test('are told once also where they became bad after the samples were listed', async () => {
    const context = await tinyContext(cpu, modelFolder, parts);
    write(context, { ...item, _id: 'a' }, { ...item, _id: 'b' });
    const cells = cellsOf(context.suite, 'longbench');
    await runQuality(context, cells.slice(0, 1));
    write(context, { ...item, _id: 'a' }, { ...item, _id: 'b', answers: 7 });
    await runQuality(context, cells.slice(1));
    const seeSinkless = see.replace('dense', 'sinkless');
    expect(ends(context)).toEqual([
      ['dense', 'completed'],
      ['sinkless', expect.stringContaining('lcc.jsonl:2')],
      ['sinks', seeSinkless],
      ['share', seeSinkless],
    ]);
  });
});
