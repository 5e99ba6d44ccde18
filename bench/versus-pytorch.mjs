// Prefill and decode of the reference model against PyTorch through transformers: same machine, same threads, same prompt, rounds
// interleaved in random order. Usage: node bench/versus-pytorch.mjs PYTHON [--tokens 4096] [--rounds 9] [--threads 2] (after npm run build)
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { createBackend, generate, generateSamples, interleave, loadModel, median, pairedRatio } from '../dist/index.js';
import { wholeLayout } from '../dist/plan/cache-layout.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    tokens: { type: 'string', default: '4096' },
    rounds: { type: 'string', default: '9' },
    threads: { type: 'string', default: '2' },
    newTokens: { type: 'string', default: '32' },
    model: { type: 'string', default: 'models/reference' },
    json: { type: 'boolean', default: false },
  },
});
const [python = 'python3'] = positionals;
const [tokens, rounds, threads, newTokens] = [values.tokens, values.rounds, values.threads, values.newTokens].map(Number);

const peer = spawn(python, [new URL('pytorch_worker.py', import.meta.url).pathname, values.model, String(threads)], {
  stdio: ['pipe', 'pipe', 'inherit'],
});
const answers = createInterface({ input: peer.stdout })[Symbol.asyncIterator]();
const nextAnswer = async () => JSON.parse((await answers.next()).value);
const versions = await nextAnswer();

const backend = await createBackend({ name: 'cpu', threads });
const model = await loadModel({ path: values.model, backend });
const [sample] = generateSamples({
  task: 'lines',
  targetTokens: Math.ceil(tokens * 1.05),
  count: 1,
  seed: 'bench',
  tokenizer: model.tokenizer,
  split: 'eval',
});
const prompt = model.tokenizer.encode(sample?.prompt ?? '').slice(0, tokens);

const samples = new Map();
const note = (name, ms) => samples.set(name, [...(samples.get(name) ?? []), ms]);
const outputs = new Map();
const ours = (kvDType) => async () => {
  const run = await generate(model, {
    requests: [
      {
        tokens: prompt,
        layout: wholeLayout(model.config, { tokens: tokens + newTokens + 1, dtype: kvDType }),
        maxNewTokens: newTokens + 1,
      },
    ],
    stopTokens: [],
  });
  note(`prefill ours ${kvDType}`, run.prefillMs);
  note(`decode ours ${kvDType}`, run.decodeMs);
  outputs.set(kvDType, String(run.outputs[0]?.tokens));
  return run.prefillMs;
};
const theirs = async () => {
  peer.stdin.write(`${JSON.stringify({ tokens: [...prompt], newTokens })}\n`);
  const run = await nextAnswer();
  note('prefill pytorch', run.prefillMs);
  note('decode pytorch', run.decodeMs);
  outputs.set('pytorch', String(run.tokens));
  return run.prefillMs;
};
await interleave(
  [
    { id: 'ours f32', run: ours('f32') },
    { id: 'ours bf16', run: ours('bf16') },
    { id: 'pytorch', run: theirs },
  ],
  { rounds, warmupRounds: 0, seed: 'versus', stage: 'versus' },
);
peer.stdin.end();
await backend.dispose();

const ratio = (name, top, bottom) => {
  const skipWarmUp = (list) => (list ?? []).slice(1);
  const r = pairedRatio(skipWarmUp(samples.get(top)), skipWarmUp(samples.get(bottom)));
  return { name, ...r };
};
const ratios = [
  ratio('prefill tokens/s, ours (f32 KV) / PyTorch', 'prefill pytorch', 'prefill ours f32'),
  ratio('prefill tokens/s, ours (bf16 KV) / PyTorch', 'prefill pytorch', 'prefill ours bf16'),
  ratio('decode tokens/s, ours (f32 KV) / PyTorch', 'decode pytorch', 'decode ours f32'),
  ratio('decode tokens/s, ours (bf16 KV) / PyTorch', 'decode pytorch', 'decode ours bf16'),
];
const medians = Object.fromEntries([...samples].map(([name, list]) => [name, median(list.slice(1))]));
const result = {
  tokens,
  newTokens,
  threads,
  peer: versions,
  backend: backend.description,
  medians,
  samples: Object.fromEntries(samples),
  ratios,
  sameTokens: outputs.get('f32') === outputs.get('pytorch'),
};
if (values.json) console.log(JSON.stringify(result));
else {
  console.log(
    `${backend.description} | torch ${versions.torch}, transformers ${versions.transformers}, ${threads} threads, ${tokens} tokens, ${newTokens} steps`,
  );
  for (const [name, ms] of Object.entries(medians)) console.log(`${name.padEnd(20)} ${ms.toFixed(1)} ms`);
  for (const { name, estimate, low, high, rounds: n } of ratios) {
    const interval = low === null ? '(too few rounds for an interval)' : `[${low.toFixed(2)}, ${high.toFixed(2)}]`;
    console.log(`${name}: ${estimate.toFixed(2)} ${interval} n=${n}, one process`);
  }
  console.log(`greedy tokens equal PyTorch's: ${result.sameTokens}`);
}
