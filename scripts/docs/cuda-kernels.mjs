// Tables of the kernels on a GPU, from kernels.json: processes are what the intervals are over, rounds of a process are pairs.
import { timingRatio } from '../../dist/core/statistics/timing.js';
import { median, percent, ratio, table } from './markdown.mjs';
import { cudaReleases, readRecord, requireFormat } from './released.mjs';

const TITLES = {
  decode: 'Decode attention',
  prefill: 'Prefill attention',
  gradient: 'Gradients',
  gemm: 'Matrix products',
  glue: 'Row-wise ops',
};

/** The benchmarks of every released GPU that have raw samples of every process. @throws MissingRecord when there are none. */
function kernelRecords(root) {
  const found = cudaReleases(root, 'kernels.json').map((release) => ({ ...release, ...readRecord(release, 'kernels.json') }));
  const current = found.filter(hasRawSamples);
  for (const release of current.length === 0 ? found : [])
    requireFormat(false, release, 'kernels.json', 'raw samples of several processes (bench/cuda/record.py)');
  return { current, left: found.filter((record) => !hasRawSamples(record)) };
}

function hasRawSamples({ ceilings, rows }) {
  return Array.isArray(ceilings) && rows.every((row) => row.process !== undefined && Array.isArray(row.timing.samples_ms));
}

function cases(record, section) {
  const byName = new Map();
  for (const row of record.rows) {
    if (row.section !== section) continue;
    byName.set(row.name, [...(byName.get(row.name) ?? []), row]);
  }
  return byName;
}

/** The time of a peer over ours: above 1 ours is faster. null where the peer did not run in every process. */
function peerRatio(rows, peer) {
  if (rows.some((row) => row.peers[peer]?.samples_ms === undefined)) return null;
  return timingRatio(
    rows.map((row) => row.peers[peer].samples_ms),
    rows.map((row) => row.timing.samples_ms),
  );
}

/** A share of the ceiling that each process found itself, with its interval over processes. */
function ceilingShare(rows) {
  if (rows.some((row) => typeof row.percent !== 'number')) return null;
  return timingRatio(
    rows.map((row) => [row.percent / 100]),
    rows.map(() => [1]),
  );
}

function shareText(share) {
  if (share === null) return '–';
  return share.low === null ? percent(share.estimate) : `${percent(share.estimate)} [${percent(share.low)}, ${percent(share.high)}]`;
}

function sectionTable(record, section) {
  const rows = [...cases(record, section)].map(([name, own]) => {
    const peers = Object.keys(own[0].peers)
      .filter((peer) => peer !== 'A/A')
      .map((peer) => [peer, peerRatio(own, peer)]);
    const control = peerRatio(own, 'A/A');
    const rate = own.every((row) => row.rate === undefined)
      ? '–'
      : `${median(own.map((row) => row.rate)).toPrecision(3)} ${own[0].rate_unit}`;
    return [
      name,
      `${median(own.map((row) => row.ours_ms)).toPrecision(3)} ms`,
      rate,
      shareText(ceilingShare(own)),
      peers.map(([peer, value]) => (value === null ? `${peer}: did not run` : `${peer} ${ratio(value)}`)).join('; ') || '–',
      control === null ? '–' : `${(100 * (control.estimate - 1)).toFixed(1)}%`,
    ];
  });
  return table(['case', 'time', 'rate', 'of the ceiling', 'time of the peer / ours', 'ours / ours'], rows);
}

function roundsText(record) {
  const counts = record.rows.map((row) => row.timing.samples_ms.length);
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  const processes = new Set(record.rows.map((row) => row.process)).size;
  return `${least === most ? least : `${least} to ${most}`} rounds in each of ${processes} processes`;
}

/** All cases of all GPUs. */
export function cudaKernels(root) {
  const { current, left } = kernelRecords(root);
  const tables = current.map((record) => {
    const ceilings = record.ceilings.map(
      (c) => `${c.read.toFixed(2)} TB/s read, ${c.copy.toFixed(2)} TB/s copy, ${c.gemm.toFixed(0)} TFLOP/s`,
    );
    const head = `### ${record.meta.gpu}\n\nFrom \`${record.shown}/kernels.json\`, ${roundsText(record)}. Ceilings by process: ${ceilings.join('; ')}.`;
    const sections = Object.entries(TITLES).filter(([section]) => cases(record, section).size > 0);
    return [head, ...sections.map(([section, title]) => `**${title}**\n\n${sectionTable(record, section)}`)].join('\n\n');
  });
  const note = left.map(({ shown }) => `Left out, for its record has no raw samples: \`${shown}/kernels.json\`.`);
  return [...tables, ...note].join('\n\n');
}
