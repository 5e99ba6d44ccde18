// Time and memory of one MoA profiling sample against the dense prefill of the same tokens:
// node bench/cuda/profile-vs-prefill.mjs [--model dummy:vicuna-7b] [--tokens 8192] [--out FILE], after npm run build.
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { median } from '../../dist/core/statistics/descriptive.js';
import { pairedRatio } from '../../dist/core/statistics/timing.js';
import { interleave } from '../../dist/measure/interleave.js';
import { createCache } from '../../dist/model/inference/caches.js';
import { prefillHidden } from '../../dist/model/inference/forward.js';
import { influenceProfile } from '../../dist/model/profile/influence.js';
import { loadModel } from '../../dist/model/load.js';
import { createBackend } from '../../dist/native/backends.js';
import { wholeLayout } from '../../dist/plan/cache-layout.js';

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: 'dummy:vicuna-7b' },
    tokens: { type: 'string', default: '8192' },
    rounds: { type: 'string', default: '4' },
    out: { type: 'string' },
  },
});
const backend = await createBackend({ name: 'cuda' });
const model = await loadModel({ path: values.model, backend });
const ANSWER_TOKENS = 64;
const random = (n) => Int32Array.from({ length: n }, (_, i) => 3 + ((i * 7919) % (model.config.vocabSize - 4)));

async function prefill(tokens) {
  const cache = createCache(model, [wholeLayout(model.config, { tokens: tokens.length, dtype: model.activationDType })]);
  const start = performance.now();
  const hidden = await prefillHidden(model, { cache, sequence: 0, tokens, chunkTokens: tokens.length });
  await backend.synchronize();
  const ms = performance.now() - start;
  hidden.dispose();
  cache.dispose();
  return ms;
}

async function profile(tokens) {
  const start = performance.now();
  await influenceProfile(model, { tokens, answerStart: tokens.length - ANSWER_TOKENS, sink: 64, epsilon: 2 ** -23 });
  return performance.now() - start;
}

const peakOf = async (run) => {
  await backend.synchronize();
  const before = backend.memory();
  backend.resetPeak();
  await run();
  return backend.memory().peakBytes - before.weightsBytes - before.kvBytes - before.workspaceBytes;
};

const full = Number(values.tokens);
const rows = [];
for (const n of [full / 4, full / 2, full]) {
  const tokens = random(n);
  const peakBytes = await peakOf(() => profile(tokens));
  model.releaseWorkspace();
  const samples = await interleave(
    [
      { id: 'prefill', run: () => prefill(tokens) },
      { id: 'profile', run: () => profile(tokens) },
    ],
    { rounds: Number(values.rounds), warmupRounds: 1, seed: 'profile', stage: 'profile' },
  );
  const ratio = pairedRatio(samples.get('profile'), samples.get('prefill'));
  const interval = ratio.low === null ? '(too few rounds for an interval)' : `[${ratio.low.toFixed(2)}, ${ratio.high.toFixed(2)}]`;
  rows.push({ tokens: n, prefillMs: samples.get('prefill'), profileMs: samples.get('profile'), ratio, peakBytes });
  console.log(
    `${n} tokens: prefill ${median(samples.get('prefill')).toFixed(1)} ms, profile ${median(samples.get('profile')).toFixed(1)} ms, ratio ${ratio.estimate.toFixed(2)} ${interval}, peak extra ${(peakBytes / 2 ** 20).toFixed(0)} MiB (${(peakBytes / n / 1024).toFixed(0)} KiB a token)`,
  );
}
if (values.out !== undefined)
  writeFileSync(
    values.out,
    `${JSON.stringify({ backend: backend.description, model: values.model, dtype: model.activationDType, rows })}\n`,
  );
model.dispose();
await backend.dispose();
