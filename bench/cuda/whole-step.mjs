// A whole decode step of a 7B shape against the roofline: node bench/cuda/whole-step.mjs [--model dummy:vicuna-7b] [--tokens 8192]
// [--memory 0.8] [--plan FILE] [--ceiling BYTES_PER_SECOND] [--out FILE], after npm run build.
// Roofline: bytes of the weights that a step reads (all but the embedding) and of the live KV slots, over the read-only ceiling.
// Methods share one process and alternate; graphs on and off.
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { median } from '../../dist/core/statistics/descriptive.js';
import { pairedRatio } from '../../dist/core/statistics/timing.js';
import { interleave } from '../../dist/measure/interleave.js';
import { createCache } from '../../dist/model/inference/caches.js';
import { DecodeSession } from '../../dist/model/inference/decode.js';
import { loadModel } from '../../dist/model/load.js';
import { createBackend } from '../../dist/native/backends.js';
import { wholeLayout } from '../../dist/plan/cache-layout.js';
import { importPublished, readPublished } from '../../dist/plan/import.js';
import { spansAt } from '../../dist/plan/spans.js';

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: 'dummy:vicuna-7b' },
    plan: { type: 'string', default: 'test/fixtures/plans/lmsys--vicuna-7b-v1.5-16k.moa.json' },
    tokens: { type: 'string', default: '8192' },
    memory: { type: 'string', default: '0.8' },
    ceiling: { type: 'string' },
    rounds: { type: 'string', default: '8' },
    out: { type: 'string' },
  },
});
const tokens = Number(values.tokens);
const STEPS = 16; // decoded in one timing
const backend = await createBackend({ name: 'cuda' });
const model = await loadModel({ path: values.model, backend });
const { config } = model;
const dtype = model.activationDType;
const { totalBytes } = backend.memory().device;
const slotBytes = 2 * config.headDim * 2;
const heads = config.layers * config.kvHeads;
const stepWeightBytes = model.weightBytes - (config.tiedEmbeddings ? 0 : config.vocabSize * config.hiddenSize * 2);

const dense = new Int32Array(heads).fill(tokens);
const { plan } = importPublished(readPublished(values.plan), {
  name: 'moa',
  model: {
    name: values.model,
    weightsHash: null,
    layers: config.layers,
    heads: config.heads,
    kvHeads: config.kvHeads,
    headDim: config.headDim,
  },
  lengths: [tokens],
  source: values.plan,
});
const moa = spansAt(plan, tokens);
const share = moa.reduce((a, b) => a + b, 0) / (heads * tokens);
const uniform = new Int32Array(heads).fill(64 * Math.round((share * tokens) / 64));
const batchFor = (spans) =>
  Math.floor((Number(values.memory) * totalBytes - model.weightBytes) / (spans.reduce((a, b) => a + b, 0) * slotBytes));

/** Read-only ceiling of this backend: argmax over 4 GiB of float32. */
async function readCeiling() {
  const rows = 1024;
  const logits = backend.tensor('f32', [rows, 2 ** 20]);
  backend.fillUniform({ out: logits, seed: 1, deviation: 1 });
  const out = backend.tensor('i32', [rows]);
  const times = [];
  for (let i = 0; i < 8; i++) times.push(await backend.time(() => backend.argmax({ logits, out })));
  logits.dispose();
  out.dispose();
  return (rows * 2 ** 22) / (median(times.slice(2)) / 1e3);
}

/** Fills a cache as after a prompt of `length` tokens, with random keys and values. */
function fillCache(cache, batch, length) {
  const chunk = backend.tensor(dtype, [length, config.kvHeads, config.headDim]);
  backend.fillUniform({ out: chunk, seed: 7, deviation: 1 });
  for (let s = 0; s < batch; s++) {
    for (let layer = 0; layer < config.layers; layer++)
      backend.cacheAppend({ cache: cache.kv, layer, k: chunk, v: chunk, segments: Int32Array.of(0, length, 0, s) });
    cache.advance(Int32Array.of(s), Int32Array.of(length));
  }
  chunk.dispose();
}

async function measure(rows, { id, spans, batch }) {
  const length = tokens - 1 - STEPS * (Number(values.rounds) + 3) * 2;
  const whole = wholeLayout(config, { tokens, dtype });
  const layout = spans === dense ? whole : { ...whole, kind: 'static', sink: plan.sink, spans };
  const cache = createCache(
    model,
    Array.from({ length: batch }, () => layout),
  );
  fillCache(cache, batch, length);
  const sequences = Int32Array.from({ length: batch }, (_, i) => i);
  const sessions = ['on', 'off'].map((graph) => ({
    graph,
    session: new DecodeSession(model, { cache, sequences, lastTokens: new Int32Array(batch).fill(5), graph }),
  }));
  const run = async (session) => {
    const start = performance.now();
    let last;
    for (let i = 0; i < STEPS; i++) last = session.step();
    await last;
    return (performance.now() - start) / STEPS;
  };
  const before = cache.length(0);
  const samples = await interleave(
    sessions.map(({ graph, session }) => ({ id: graph, run: () => run(session) })),
    { rounds: Number(values.rounds), warmupRounds: 1, seed: id, stage: id },
  );
  const after = cache.length(0);
  const live = (length) => spans.reduce((sum, span) => sum + Math.min(span, length), 0) * batch * slotBytes;
  const kvBytes = (live(before) + live(after)) / 2;
  const bytes = stepWeightBytes + kvBytes;
  for (const { graph, session } of sessions) {
    const ms = median(samples.get(graph));
    rows.push({
      id: `${id} graph ${graph}`,
      batch,
      stepMs: ms,
      samplesMs: samples.get(graph),
      tokensPerSecond: (batch / ms) * 1e3,
      bytes,
      kvBytes,
      rooflineShare: bytes / ceiling / (ms / 1e3),
    });
    console.log(
      `${id} graph ${graph}: batch ${batch}, ${ms.toFixed(3)} ms, ${((batch / ms) * 1e3).toFixed(0)} tok/s, ${(100 * rows.at(-1).rooflineShare).toFixed(1)}% of the roofline`,
    );
    session.dispose();
  }
  const ratio = pairedRatio(samples.get('off'), samples.get('on'));
  const interval = ratio.low === null ? '(too few rounds for an interval)' : `[${ratio.low.toFixed(3)}, ${ratio.high.toFixed(3)}]`;
  console.log(`  graph speed-up ${ratio.estimate.toFixed(3)} ${interval}`);
  cache.dispose();
  await backend.synchronize();
}

const ownCeiling = await readCeiling();
const ceiling = Math.max(ownCeiling, Number(values.ceiling ?? 0));
console.log(backend.description);
console.log(
  `read ceiling ${(ownCeiling / 1e12).toFixed(2)} TB/s here, ${(ceiling / 1e12).toFixed(2)} TB/s used; density ${share.toFixed(3)}`,
);
const rows = [];
const common = batchFor(dense);
for (const arm of [
  { id: 'dense', spans: dense, batch: common },
  { id: 'uniform, same batch', spans: uniform, batch: common },
  { id: 'moa, same batch', spans: moa, batch: common },
  { id: 'moa, same memory', spans: moa, batch: batchFor(moa) },
  { id: 'dense, batch 1', spans: dense, batch: 1 },
  { id: 'moa, batch 1', spans: moa, batch: 1 },
]) {
  try {
    await measure(rows, arm);
  } catch (error) {
    console.log(`${arm.id}: ${error.message}`);
    rows.push({ id: arm.id, error: error.message });
    await backend.synchronize().catch(() => {});
  }
}
const memory = backend.memory();
const report = { backend: backend.description, model: values.model, dtype, tokens, density: share, ownCeiling, ceiling, memory, rows };
if (values.out !== undefined) writeFileSync(values.out, `${JSON.stringify(report)}\n`);
model.dispose();
await backend.dispose();
