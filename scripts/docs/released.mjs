// The released records that the documents' tables are made from.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

function subfolders(folder) {
  if (!existsSync(folder)) return [];
  const entries = readdirSync(folder, { withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
}

/** The newest release under reports/<name>: folders begin with their day. @throws when there is none. */
export function newest(root, name) {
  const last = subfolders(join(root, 'reports', name)).at(-1);
  if (last === undefined) throw new Error(`Expected a released run in reports/${name} but there is none`);
  return { path: join(root, 'reports', name, last), shown: `reports/${name}/${last}` };
}

export function readJson(path) {
  return JSON.parse(readFileSync(path, 'utf8'));
}

/** The newest folder of each GPU under reports/cuda (`<day>-<gpu>`), H200 first. */
export function cudaReleases(root) {
  const byGpu = new Map();
  for (const name of subfolders(join(root, 'reports', 'cuda'))) {
    const gpu = /^\d{4}-\d{2}-\d{2}-([a-z0-9]+)$/.exec(name)?.[1];
    if (gpu !== undefined)
      byGpu.set(gpu, { gpu: gpu.toUpperCase(), path: join(root, 'reports', 'cuda', name), shown: `reports/cuda/${name}` });
  }
  return [...byGpu.values()].sort((a, b) => b.gpu.localeCompare(a.gpu));
}
