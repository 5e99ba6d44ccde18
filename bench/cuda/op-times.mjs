// Device time of every op of one prefill, one profiling sample and one decode step of a model, by op: where the time goes.
// node bench/cuda/op-times.mjs [--model dummy:vicuna-7b] [--tokens 8192] [--out FILE], after npm run build.
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { createCache } from '../../dist/model/inference/caches.js';
import { DecodeSession } from '../../dist/model/inference/decode.js';
import { prefillHidden } from '../../dist/model/inference/forward.js';
import { influenceProfile } from '../../dist/model/profile/influence.js';
import { loadModel } from '../../dist/model/load.js';
import { createBackend } from '../../dist/native/backends.js';
import { wholeLayout } from '../../dist/plan/cache-layout.js';

const { values } = parseArgs({
  options: { model: { type: 'string', default: 'dummy:vicuna-7b' }, tokens: { type: 'string', default: '8192' }, out: { type: 'string' } },
});
const OPS = new Set(
  'gemm copy embedding rmsNorm rmsNormBackward rope siluMul siluMulBackward add fill gatherRows scatterRows attentionPrefill cacheAppend decodeAppend attentionDecode argmax crossEntropy attentionBackward influence'.split(
    ' ',
  ),
);

let pending = [];
let isTiming = false;
const real = await createBackend({ name: 'cuda' });
/** The backend, with every op timed on the stream. */
const backend = new Proxy(real, {
  get(target, name) {
    const value = target[name];
    if (typeof value !== 'function') return value;
    if (!isTiming || !OPS.has(name)) return value.bind(target);
    return (params) => {
      const shape = name === 'gemm' ? ` ${params.a.shape[0]}x${params.out.shape[1]}x${params.a.shape[1]}` : '';
      pending.push(target.time(() => target[name](params)).then((ms) => ({ op: `${name}${shape}`, ms })));
    };
  },
});

async function opTimes(id, run) {
  await run(); // algorithm choices, allocations
  await real.synchronize();
  const wallStart = performance.now();
  await run();
  await real.synchronize();
  const wallMs = performance.now() - wallStart;
  isTiming = true;
  pending = [];
  await run();
  isTiming = false;
  const byOp = new Map();
  for (const { op, ms } of await Promise.all(pending)) {
    const entry = byOp.get(op) ?? { op, calls: 0, ms: 0 };
    entry.calls++;
    entry.ms += ms;
    byOp.set(op, entry);
  }
  const ops = [...byOp.values()].sort((a, b) => b.ms - a.ms);
  const total = ops.reduce((sum, { ms }) => sum + ms, 0);
  console.log(`${id}: ${wallMs.toFixed(1)} ms in all, ${total.toFixed(1)} ms in ops`);
  for (const { op, calls, ms } of ops.slice(0, 18))
    console.log(`  ${op.padEnd(34)} ${String(calls).padStart(5)} x  ${ms.toFixed(2).padStart(8)} ms`);
  return { id, wallMs, total, ops };
}

const model = await loadModel({ path: values.model, backend });
const n = Number(values.tokens);
const tokens = Int32Array.from({ length: n }, (_, i) => 3 + ((i * 7919) % (model.config.vocabSize - 4)));
const dtype = model.activationDType;
const report = [];
report.push(
  await opTimes('prefill', async () => {
    const cache = createCache(model, [wholeLayout(model.config, { tokens: n, dtype })]);
    (await prefillHidden(model, { cache, sequence: 0, tokens, chunkTokens: n })).dispose();
    cache.dispose();
  }),
);
model.releaseWorkspace();
report.push(await opTimes('profile', () => influenceProfile(model, { tokens, answerStart: n - 64, sink: 64, epsilon: 2 ** -23 })));
const cache = createCache(model, [wholeLayout(model.config, { tokens: n + 64, dtype })]);
(await prefillHidden(model, { cache, sequence: 0, tokens, chunkTokens: n })).dispose();
const session = new DecodeSession(model, { cache, sequences: Int32Array.of(0), lastTokens: Int32Array.of(5), graph: 'off' });
report.push(await opTimes('decode step, batch 1', () => session.step()));
if (values.out !== undefined)
  writeFileSync(values.out, `${JSON.stringify({ backend: real.description, model: values.model, tokens: n, report })}\n`);
session.dispose();
cache.dispose();
model.dispose();
await real.dispose();
