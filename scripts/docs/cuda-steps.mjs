// Tables of more than single kernels on a GPU: whole decode steps, profiling, agreement with the cpu backend, and conformance.
import { earlierProfile, earlierSteps } from './earlier-records.mjs';
import { median, percent, ratio, table } from './markdown.mjs';
import { cudaReleases, isReleased, readRecord, requireFormat } from './released.mjs';

function recordsNamed(root, file) {
  return cudaReleases(root, file).map((release) => ({ release, gpu: release.gpu, record: readRecord(release, file) }));
}

function sources(records, file) {
  return `From ${records.map(({ release }) => `\`${release.shown}/${file}\``).join(' and ')}.`;
}

/** Whole decode steps against the roofline. */
export function cudaSteps(root) {
  const file = 'whole-step.json';
  const records = recordsNamed(root, file).map(({ release, gpu, record }) => {
    const current = record.kind === 'whole-step' ? record : earlierSteps(record);
    return {
      release,
      gpu,
      record: current,
      lower: current.ceiling === undefined ? 1 : current.ceiling / bestRead(release, current.ceiling),
    };
  });
  const rows = records.flatMap(({ release, gpu, record, lower }) =>
    record.rows
      .filter(({ reason }) => reason === null)
      .map(({ id, graph, batch, stepMs, tokensPerSecond, rooflineShare }) => {
        requireFormat(Array.isArray(stepMs), release, file, 'raw samples');
        const what = graph === undefined ? id : `${id}, graph ${graph}`;
        const ms = `${median(stepMs.flat()).toFixed(2)} ms`;
        return [gpu, what, batch, ms, roundsOf(stepMs), tokensPerSecond.toFixed(0), percent(rooflineShare * lower)];
      }),
  );
  const [{ record }] = records;
  const head = `${record.model.replace('dummy:', 'Random weights of the shape ')} at ${record.tokens} tokens in ${record.dtype}; the roofline is the time to read weights and live keys and values at the highest read rate that was measured on that GPU.`;
  return `${head}\n\n${table(['GPU', 'what', 'batch', 'step', 'rounds', 'tokens/s', 'of the roofline'], rows)}\n\n${sources(records, file)}`;
}

/** The highest read rate, in bytes a second, that a record of the release saw: `own`, or what the kernels' processes measured. A roofline is not passed. */
function bestRead(release, own) {
  if (!isReleased(release, 'kernels.json')) return own;
  const { ceilings } = readRecord(release, 'kernels.json');
  const reads = Array.isArray(ceilings) ? ceilings.filter(({ ceiling }) => ceiling === 'read').map(({ best }) => best * 1e12) : [];
  return Math.max(own, ...reads);
}

/** `8`, or `3 x 4` of three processes. */
function roundsOf(timings) {
  return timings.length === 1 ? timings[0].length : `${timings.length} x ${timings[0].length}`;
}

/** One profiling sample against the dense prefill of the same tokens. */
export function cudaProfiling(root) {
  const file = 'profile-vs-prefill.json';
  const records = recordsNamed(root, file);
  const rows = records.flatMap(({ gpu, record }) =>
    (record.kind === 'profile-vs-prefill' ? record : earlierProfile(record)).rows.map((row) => [
      gpu,
      row.tokens,
      `${median(row.prefillMs.flat()).toFixed(0)} ms`,
      `${median(row.profileMs.flat()).toFixed(0)} ms`,
      ratio(row.ratio),
      roundsOf(row.prefillMs),
      `${(row.peakBytes / row.tokens / 2 ** 20).toFixed(1)} MiB`,
    ]),
  );
  return `${table(['GPU', 'tokens', 'prefill', 'profiling', 'profiling / prefill', 'rounds', 'memory a token'], rows)}\n\n${sources(records, file)}`;
}

/** Greedy answers, losses and influence of the bundled model: the GPU against the cpu backend. */
export function cudaParity(root) {
  const file = 'parity.json';
  const records = recordsNamed(root, file);
  const rows = records.flatMap(({ gpu, record }) =>
    record.rows.map(({ dtype, samples, equal, ties, influence }) => [
      gpu,
      dtype,
      `${equal} of ${samples}${ties === 0 ? '' : ` (${ties} of the others a tie)`}`,
      influence === null ? '–' : percentOf(largestLossDifference(influence)),
      influence === null ? '–' : influence.lengths.map((at) => `${small(at.joint)} at ${at.length}`).join(', '),
    ]),
  );
  const header = ['GPU', 'activations', 'equal answers', 'largest difference of a loss', 'influence (`joint`), relative L1'];
  return `${table(header, rows)}\n\n${sources(records, file)}`;
}

/** The largest relative difference, over all samples, between the two losses of a sample. */
function largestLossDifference({ samples }) {
  return Math.max(...samples.map(({ loss }) => Math.max(...loss) / Math.min(...loss) - 1));
}

function percentOf(share) {
  return share < 1e-3 ? small(share) : `${(100 * share).toFixed(1)}%`;
}

function small(value) {
  return value < 1e-3 ? value.toExponential(0) : `${(100 * value).toFixed(1)}%`;
}

/** Conformance cases on each GPU. */
export function cudaConformance(root) {
  const file = 'verify.json';
  const records = recordsNamed(root, file);
  const rows = records.map(({ gpu, record }) => [gpu, record.passed, record.failed, record.backend]);
  return `${table(['GPU', 'passed', 'failed', 'backend'], rows)}\n\n${sources(records, file)}`;
}
