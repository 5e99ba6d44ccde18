// Turns released records that are older than the commands of `moabench bench` into the form that these write now.
import { timingRatio } from '../../dist/core/statistics/timing.js';
import { median } from './markdown.mjs';

/** kernels.json of the program that timed kernels before `moabench bench --peers`: a row a case and process. null where it has no raw samples. */
export function earlierKernels({ meta, ceilings, rows }) {
  const hasSamples = Array.isArray(ceilings) && rows.every((row) => row.process !== undefined && Array.isArray(row.timing.samples_ms));
  if (!hasSamples) return null;
  const byName = new Map();
  for (const row of rows) byName.set(`${row.section}/${row.name}`, [...(byName.get(`${row.section}/${row.name}`) ?? []), row]);
  return {
    peer: { device: { name: meta.gpu } },
    ceilings: ceilings.flatMap(({ process, ...best }) =>
      ['read', 'copy', 'gemm'].map((ceiling) => ({ process, ceiling, best: best[ceiling] })),
    ),
    cases: [...byName.values()].map(earlierCase),
  };
}

function earlierCase(rows) {
  const [{ section, name, peers, rate_unit: unit }] = rows;
  const ours = rows.map((row) => row.timing.samples_ms);
  const processes = rows.map((row) => ({ process: row.process, samplesMs: row.timing.samples_ms }));
  const others = Object.keys(peers).map((id) => {
    const ran = rows.every((row) => row.peers[id]?.samples_ms !== undefined);
    return {
      id,
      ratio: ran
        ? timingRatio(
            rows.map((row) => row.peers[id].samples_ms),
            ours,
          )
        : null,
    };
  });
  return {
    section: section === 'glue' ? 'rows' : section,
    name,
    time: { estimate: median(rows.map((row) => row.ours_ms)) },
    rate: unit === undefined ? null : { value: median(rows.map((row) => row.rate)), unit },
    share: earlierShare(rows),
    arms: [{ id: 'ours', ratio: null, processes }, ...others],
  };
}

/** The share of the ceiling, with its interval over processes. Each process measured the ceiling itself. */
function earlierShare(rows) {
  if (rows.some((row) => typeof row.percent !== 'number')) return null;
  return timingRatio(
    rows.map((row) => [row.percent / 100]),
    rows.map(() => [1]),
  );
}

/** whole-step.json of one process: a contender and its graph in one name. */
export function earlierSteps({ rows, ...record }) {
  return { ...record, rows: rows.map((row) => ({ ...row, reason: null, stepMs: row.samplesMs === undefined ? null : [row.samplesMs] })) };
}

/** profile-vs-prefill.json of one process. */
export function earlierProfile({ rows }) {
  const lists = rows.map((row) => ({ ...row, prefillMs: [row.prefillMs], profileMs: [row.profileMs] }));
  return { rows: lists.map((row) => ({ ...row, ratio: timingRatio(row.profileMs, row.prefillMs) })) };
}
