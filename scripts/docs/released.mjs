// The released records that the documents' tables are made from.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

/** A record that a table needs does not exist, or lacks something that the table needs. The message names the file and says how it is made. */
export class MissingRecord extends Error {}

function subfolders(folder) {
  if (!existsSync(folder)) return [];
  const entries = readdirSync(folder, { withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
}

/** Where a file of a release is: as it is, or compressed. null: it is not there. */
function pathOf({ path }, file) {
  return [join(path, file), join(path, `${file}.gz`)].find((candidate) => existsSync(candidate)) ?? null;
}

function releaseOf(root, name, folder) {
  return { path: join(root, 'reports', name, folder), shown: `reports/${name}/${folder}` };
}

/**
 * The newest release under reports/<name>, whose folders have names that begin with their day. With `file`, the newest that has this file.
 * @throws MissingRecord when there is none.
 */
export function newest(root, name, file) {
  const releases = subfolders(join(root, 'reports', name)).map((folder) => releaseOf(root, name, folder));
  const last = releases.filter((release) => file === undefined || pathOf(release, file) !== null).at(-1);
  if (last !== undefined) return last;
  const missing = file === undefined ? 'a released run' : `a release with ${file}`;
  throw new MissingRecord(`Expected ${missing} in reports/${name} but there is none: reports/README.md says how it is made`);
}

/** Whether a release has the file. */
export function isReleased(release, file) {
  return pathOf(release, file) !== null;
}

/** The parsed JSON of a release's file, which may be compressed. @throws MissingRecord naming the file. */
export function readRecord(release, file) {
  const path = pathOf(release, file);
  if (path === null) throw new MissingRecord(`Expected the record ${release.shown}/${file} but there is none`);
  try {
    const bytes = readFileSync(path);
    return JSON.parse((path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8'));
  } catch (cause) {
    throw new MissingRecord(`Expected JSON in ${release.shown}/${file} but it cannot be read: ${cause.message}`, { cause });
  }
}

/** @throws MissingRecord unless `holds`: the record lacks `what`, which its table needs. */
export function requireFormat(holds, release, file, what) {
  if (!holds) throw new MissingRecord(`Expected ${what} in ${release.shown}/${file} but its format has none: make the record again`);
}

/**
 * For every GPU, its newest folder under reports/cuda (`<day>-<gpu>`) that has the file; H200 comes first.
 * @throws MissingRecord when no GPU has one.
 */
export function cudaReleases(root, file) {
  const byGpu = new Map();
  for (const folder of subfolders(join(root, 'reports', 'cuda'))) {
    const gpu = /^\d{4}-\d{2}-\d{2}-([a-z0-9]+)$/.exec(folder)?.[1];
    const release = releaseOf(root, 'cuda', folder);
    if (gpu !== undefined && pathOf(release, file) !== null) byGpu.set(gpu, { gpu: gpu.toUpperCase(), ...release });
  }
  if (byGpu.size === 0) throw new MissingRecord(`Expected a release with ${file} in reports/cuda but there is none`);
  return [...byGpu.values()].sort((a, b) => b.gpu.localeCompare(a.gpu));
}
