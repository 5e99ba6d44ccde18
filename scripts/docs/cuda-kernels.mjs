// Tables of the kernels on a GPU, from kernels.json: processes are what the intervals are over, rounds of a process are pairs.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { timingRatio } from '../../dist/core/statistics-timing.js';
import { median, percent, ratio, table } from './markdown.mjs';
import { cudaReleases, readJson } from './released.mjs';

const TITLES = {
  decode: 'Decode attention',
  prefill: 'Prefill attention',
  gradient: 'Gradients',
  gemm: 'Matrix products',
  glue: 'Row-wise ops',
};

/** The benchmarks of every released GPU: rows of the same case in all processes together. */
export function kernelRecords(root) {
  return cudaReleases(root).flatMap((release) => {
    const path = join(release.path, 'kernels.json');
    return existsSync(path) ? [{ ...release, ...readJson(path) }] : [];
  });
}

function cases(record, section) {
  const byName = new Map();
  for (const row of record.rows) {
    if (row.section !== section) continue;
    byName.set(row.name, [...(byName.get(row.name) ?? []), row]);
  }
  return byName;
}

/** The rows of one case, one a process. */
export function caseOf(record, section, name) {
  const rows = cases(record, section).get(name);
  if (rows === undefined) throw new Error(`Expected the case ${section} ${name} in ${record.shown}/kernels.json but there is none`);
  return rows;
}

/** The time of a peer over ours: above 1 ours is faster. null where the peer did not run in every process. */
export function peerRatio(rows, peer) {
  if (rows.some((row) => row.peers[peer]?.samples_ms === undefined)) return null;
  return timingRatio(
    rows.map((row) => row.peers[peer].samples_ms),
    rows.map((row) => row.timing.samples_ms),
  );
}

/** A share of the ceiling that each process found itself, with its interval over processes. */
export function ceilingShare(rows) {
  if (rows.some((row) => typeof row.percent !== 'number')) return null;
  return timingRatio(
    rows.map((row) => [row.percent / 100]),
    rows.map(() => [1]),
  );
}

export function shareText(share) {
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
  return `${Math.min(...counts)} to ${Math.max(...counts)} rounds in each of ${new Set(record.rows.map((row) => row.process)).size} processes`;
}

/** All cases of all GPUs. */
export function cudaKernels(root) {
  return kernelRecords(root)
    .map((record) => {
      const ceilings = record.ceilings.map(
        (c) => `${c.read.toFixed(2)} TB/s read, ${c.copy.toFixed(2)} TB/s copy, ${c.gemm.toFixed(0)} TFLOP/s`,
      );
      const head = `### ${record.meta.gpu}\n\nFrom \`${record.shown}/kernels.json\`, ${roundsText(record)}. Ceilings by process: ${ceilings.join('; ')}.`;
      const sections = Object.entries(TITLES).filter(([section]) => cases(record, section).size > 0);
      return [head, ...sections.map(([section, title]) => `**${title}**\n\n${sectionTable(record, section)}`)].join('\n\n');
    })
    .join('\n\n');
}
