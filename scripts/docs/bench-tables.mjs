// Tables of the benchmarks on the CPU: moabench beside PyTorch, kernels against the read ceiling, and the optimizer.
import { readdirSync } from 'node:fs';
import { timingRatio } from '../../dist/core/statistics/timing.js';
import { median, percent, ratio, table } from './markdown.mjs';
import { newest, readRecord, requireFormat } from './released.mjs';

/** Prefill and decode beside PyTorch. Ratios are computed again from the raw rounds; the first round is a warm-up and is left out. */
export function versusPytorch(root) {
  const release = newest(root, 'bench', 'versus-pytorch.json');
  const record = readRecord(release, 'versus-pytorch.json');
  const { samples } = record;
  requireFormat(samples?.['prefill pytorch'] !== undefined, release, 'versus-pytorch.json', 'raw samples');
  const rounds = (name) => samples[name].slice(1);
  const rows = ['prefill', 'decode'].flatMap((measure) =>
    ['f32', 'bf16'].map((kv) => {
      const speed = timingRatio([rounds(`${measure} pytorch`)], [rounds(`${measure} ours ${kv}`)]);
      const ms = (name) => `${median(rounds(name)).toFixed(0)} ms`;
      return [
        `${measure}, ${kv} cache`,
        ms(`${measure} ours ${kv}`),
        ms(`${measure} pytorch`),
        ratio(speed),
        rounds(`${measure} pytorch`).length,
      ];
    }),
  );
  const { peer, tokens, newTokens, threads, backend } = record;
  const same = record.sameTokens ? 'The greedy tokens are equal.' : 'The greedy tokens differ.';
  const head = `${backend}, ${threads} threads; torch ${peer.torch}, transformers ${peer.transformers}; ${tokens} tokens of context, ${newTokens} decode steps. ${same}`;
  return `${table(['', 'moabench', 'PyTorch', 'PyTorch / moabench', 'rounds'], rows)}\n\n${head} From \`${release.shown}/versus-pytorch.json\`.`;
}

/** Attention and matrix products on the CPU, with rates, and ratios with their intervals. */
export function cpuKernels(root) {
  const release = newest(root, 'bench');
  const files = readdirSync(release.path)
    .filter((name) => /^kernels.*\.json$/.test(name))
    .sort();
  requireFormat(files.length > 0, release, 'kernels*.json', 'a record of `moabench bench --json`');
  return files.map((file) => kernelTable(release, file)).join('\n\n');
}

function kernelTable(release, file) {
  const { backend, shape, results, ratios, evictedMiB } = readRecord(release, file);
  requireFormat(evictedMiB > 0, release, file, 'a cold start of every timing (evictedMiB)');
  requireFormat(
    results.every((row) => Array.isArray(row.samplesMs)),
    release,
    file,
    'raw samples',
  );
  const ceiling = results.find((row) => row.id === 'read ceiling');
  requireFormat(ceiling !== undefined, release, file, 'a read ceiling');
  const rows = results.map((row) => [
    row.id,
    `${row.medianMs.toPrecision(3)} ms`,
    row.gigabytesPerSecond === 0 ? '–' : `${row.gigabytesPerSecond.toFixed(1)} GB/s`,
    row.gigaflopsPerSecond === 0 ? '–' : `${row.gigaflopsPerSecond.toFixed(1)} GFLOP/s`,
    row.id.includes('decode') ? percent(row.gigabytesPerSecond / ceiling.gigabytesPerSecond) : '–',
  ]);
  const { batch, heads, kvHeads, headDim, tokens, kvDType } = shape;
  const head = `**${tokens} tokens**, batch ${batch}, ${heads} heads (${kvHeads} KV) of ${headDim}, ${kvDType} cache; ${backend}; ${results[0].samplesMs.length} interleaved rounds of one process, each from caches that ${evictedMiB} MiB of other data filled. From \`${release.shown}/${file}\`.`;
  const compared = ratios.map((row) => `- ${row.name}: ${ratio(row)}`).join('\n');
  return `${head}\n\n${table(['kernel', 'time', 'read', 'rate', 'of the read ceiling'], rows)}\n\n${compared}`;
}

/** The optimizer, on a problem of the size of a 7B model. */
export function optimizer(root) {
  const release = newest(root, 'bench', 'optimizer-7b.json');
  const { layers, kvHeads, rules, seconds, solves, points, largestGap } = readRecord(release, 'optimizer-7b.json');
  return `A Pareto front of ${points} plans for ${layers} x ${kvHeads} heads and ${rules} rules takes ${solves.total} solves and ${seconds.toFixed(0)} s; the largest proven gap is ${percentOf(largestGap)}. From \`${release.shown}/optimizer-7b.json\`.`;
}

function percentOf(share) {
  return `${(100 * share).toFixed(2)}%`;
}
