// The bundled model on cuda against cpu: greedy answers and influence profiles.
// node bench/cuda/parity.mjs [--samples 8] [--influence-samples 1] [--dtypes bf16] [--out FILE], after npm run build. Samples are
// counted per task and length; profiles are compared up to 2048 tokens.
// An answer that differs counts as a tie when, at its first different token, the cpu's two logits differ by less than 2^-8 of their
// size: bf16 cannot tell them apart.
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { generateSamples } from '../../dist/data/generate.js';
import { createCache } from '../../dist/model/inference/caches.js';
import { userTurn } from '../../dist/model/format/template/chat-template.js';
import { prefill } from '../../dist/model/inference/forward.js';
import { generate } from '../../dist/model/inference/generate.js';
import { loadModel } from '../../dist/model/load.js';
import { createBackend } from '../../dist/native/backends.js';
import { wholeLayout } from '../../dist/plan/cache-layout.js';
import { compareProfiles, profileLines, profileOf } from './influence-parity.mjs';

const { values } = parseArgs({
  options: {
    samples: { type: 'string', default: '8' },
    'influence-samples': { type: 'string', default: '1' }, // of the first of each task and length
    dtypes: { type: 'string', default: 'bf16,f16,f32' },
    lengths: { type: 'string', default: '1024,2048,4096' },
    tasks: { type: 'string', default: 'lines,needle,single_qa,multi_qa,fewshot,summary,vartrack,code' },
    out: { type: 'string' },
  },
});
const TIE = 2 ** -8;
const MAX_PROFILE_TOKENS = 2048;
const path = 'models/reference';
const cpuBackend = await createBackend({ name: 'cpu' });
const cpu = await loadModel({ path, backend: cpuBackend });
const samples = values.tasks.split(',').flatMap((task) =>
  values.lengths.split(',').flatMap((length) =>
    [
      ...generateSamples({
        task,
        targetTokens: Number(length) - 64,
        count: Number(values.samples),
        seed: `parity/${length}`,
        tokenizer: cpu.tokenizer,
        split: 'eval',
        wrapUser: userTurn(cpu),
      }),
    ].map((sample, number) => ({
      task,
      length: Number(length),
      number,
      sample,
      tokens: Int32Array.from(cpu.tokenizer.encode(sample.prompt)),
    })),
  ),
);

const answer = async (model, tokens, maxNewTokens, kvDType) => {
  const layout = wholeLayout(model.config, { tokens: tokens.length + maxNewTokens, dtype: kvDType });
  const { outputs } = await generate(model, { requests: [{ tokens, layout, maxNewTokens }] });
  return [...outputs[0].tokens];
};
const expected = [];
for (const { tokens, sample } of samples) expected.push(await answer(cpu, tokens, Math.min(48, sample.maxNewTokens), 'f32'));
const profiled = samples.filter(({ length, number }) => length <= MAX_PROFILE_TOKENS && number < Number(values['influence-samples']));
const cpuProfiles = [];
for (const item of profiled) cpuProfiles.push(await profileOf(cpu, item));

/** How far apart the cpu's logits of two tokens are after a prefix, relative to the larger. */
async function gap(tokens, prefix, a, b) {
  const all = Int32Array.from([...tokens, ...prefix]);
  const cache = createCache(cpu, [wholeLayout(cpu.config, { tokens: all.length, dtype: cpu.activationDType })]);
  const logits = await prefill(cpu, { cache, sequence: 0, tokens: all });
  cache.dispose();
  return Math.abs(logits[a] - logits[b]) / Math.max(Math.abs(logits[a]), Math.abs(logits[b]));
}

const rows = [];
for (const dtype of values.dtypes.split(',')) {
  const backend = await createBackend({ name: 'cuda' });
  const model = await loadModel({ path, backend, weightDType: dtype, activationDType: dtype });
  const row = { dtype, samples: samples.length, equal: 0, ties: 0, different: [], influence: null };
  for (const [i, { task, length, tokens, sample }] of samples.entries()) {
    const want = expected[i];
    const got = await answer(model, tokens, Math.min(48, sample.maxNewTokens), dtype);
    const first = want.findIndex((t, j) => t !== got[j]);
    if (first < 0) row.equal++;
    else {
      const relative = await gap(tokens, want.slice(0, first), want[first], got[first] ?? 2);
      if (relative < TIE) row.ties++;
      row.different.push({ task, length, index: i, token: first, gap: relative });
    }
  }
  const got = [];
  for (const item of profiled) got.push(await profileOf(model, item));
  console.log(`${dtype}: ${row.equal}/${row.samples} equal, ${row.ties} ties of ${row.different.length} different`);
  if (profiled.length > 0) {
    row.influence = compareProfiles(profiled, { wanted: cpuProfiles, got, rows: cpu.config.layers * cpu.config.kvHeads });
    for (const line of profileLines(row.influence)) console.log(`  ${line}`);
  }
  for (const d of row.different.slice(0, 6))
    console.log(`  ${d.task} ${d.length} #${d.index} token ${d.token}: gap ${d.gap.toExponential(2)}`);
  rows.push(row);
  model.dispose();
  await backend.dispose();
}
if (values.out !== undefined) writeFileSync(values.out, `${JSON.stringify({ cpu: cpuBackend.description, rows })}\n`);
cpu.dispose();
await cpuBackend.dispose();
