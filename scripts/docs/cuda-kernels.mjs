// Tables of the kernels on a GPU, from kernels.json (`moabench bench --peers`): intervals are over processes, and within a process the times of one
// round form a pair.
import { earlierKernels } from './earlier-records.mjs';
import { percent, ratio, table } from './markdown.mjs';
import { cudaReleases, readRecord, requireFormat } from './released.mjs';

const TITLES = {
  decode: 'Decode attention',
  prefill: 'Prefill attention',
  gradient: 'Gradients',
  gemm: 'Matrix products',
  rows: 'Row-wise ops',
};

/**
 * The released benchmarks of all GPUs: `current` are those with the raw samples of every process, `left` are the others.
 * @throws MissingRecord when none has raw samples.
 */
function kernelRecords(root) {
  const found = cudaReleases(root, 'kernels.json').map((release) => ({ release, record: readKernels(release) }));
  const current = found.filter(({ record }) => record !== null);
  for (const { release } of current.length === 0 ? found : [])
    requireFormat(false, release, 'kernels.json', 'raw samples of several processes (`moabench bench --peers`)');
  return { current, left: found.filter(({ record }) => record === null) };
}

/** null where the record has no raw samples. */
function readKernels(release) {
  const record = readRecord(release, 'kernels.json');
  return record.kind === 'kernels' ? record : earlierKernels(record);
}

function shareText(share) {
  if (share === null) return '–';
  return share.low === null ? percent(share.estimate) : `${percent(share.estimate)} [${percent(share.low)}, ${percent(share.high)}]`;
}

function sectionTable(cases) {
  const rows = cases.map(({ name, time, rate, share, arms }) => {
    const control = arms.find(({ id }) => id === 'A/A')?.ratio ?? null;
    const peers = arms.slice(1).filter(({ id }) => id !== 'A/A');
    return [
      name,
      time === null ? '–' : `${time.estimate.toPrecision(3)} ms`,
      rate === null ? '–' : `${rate.value.toPrecision(3)} ${rate.unit}`,
      shareText(share),
      peers.map((peer) => (peer.ratio === null ? `${peer.id}: did not run` : `${peer.id} ${ratio(peer.ratio)}`)).join('; ') || '–',
      control === null ? '–' : `${(100 * (control.estimate - 1)).toFixed(1)}%`,
    ];
  });
  return table(['case', 'time', 'rate', 'of the ceiling', 'time of the peer / ours', 'ours / ours'], rows);
}

function roundsText({ cases }) {
  const processes = cases.filter(({ section }) => section in TITLES).flatMap(({ arms }) => arms[0].processes);
  const counts = processes.map(({ samplesMs }) => samplesMs.length);
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  return `${least === most ? least : `${least} to ${most}`} rounds in each of ${new Set(processes.map(({ process }) => process)).size} processes`;
}

/** The best rates that the device reached, as each process measured them. */
function ceilingsText({ ceilings }) {
  const processes = [...new Set(ceilings.map(({ process }) => process))];
  const words = { read: 'TB/s read', copy: 'TB/s copy', gemm: 'TFLOP/s' };
  const of = (process, name) => ceilings.find((one) => one.process === process && one.ceiling === name);
  return processes
    .map((process) => {
      const found = Object.keys(words).flatMap((name) => of(process, name) ?? []);
      return found.map(({ ceiling, best }) => `${best.toFixed(ceiling === 'gemm' ? 0 : 2)} ${words[ceiling]}`).join(', ');
    })
    .join('; ');
}

/** All cases of all GPUs. */
export function cudaKernels(root) {
  const { current, left } = kernelRecords(root);
  const tables = current.map(({ release, record }) => {
    const head = `### ${record.peer.device.name}\n\nFrom \`${release.shown}/kernels.json\`, ${roundsText(record)}. Ceilings by process: ${ceilingsText(record)}.`;
    const sections = Object.entries(TITLES)
      .map(([section, title]) => ({ title, cases: record.cases.filter((one) => one.section === section) }))
      .filter(({ cases }) => cases.length > 0);
    return [head, ...sections.map(({ title, cases }) => `**${title}**\n\n${sectionTable(cases)}`)].join('\n\n');
  });
  const note = left.map(({ release }) => `Left out, for its record has no raw samples: \`${release.shown}/kernels.json\`.`);
  return [...tables, ...note].join('\n\n');
}
