// Tables of whole decode steps and of profiling on a GPU, from whole-step.json and profile-vs-prefill.json.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { median, percent, table } from './markdown.mjs';
import { cudaReleases, readJson } from './released.mjs';

function recordsNamed(root, name) {
  return cudaReleases(root).flatMap((release) => {
    const path = join(release.path, name);
    return existsSync(path) ? [{ ...release, ...readJson(path) }] : [];
  });
}

/** Whole decode steps against the roofline. */
export function cudaSteps(root) {
  const rows = recordsNamed(root, 'whole-step.json').flatMap((record) =>
    record.rows
      .filter((row) => row.samplesMs !== undefined)
      .map((row) => [
        record.gpu,
        row.id,
        row.batch,
        `${median(row.samplesMs).toFixed(2)} ms (n = ${row.samplesMs.length})`,
        `${row.tokensPerSecond.toFixed(0)}`,
        percent(row.rooflineShare),
      ]),
  );
  return table(['GPU', 'what', 'batch', 'step', 'tokens/s', 'of the roofline'], rows);
}
