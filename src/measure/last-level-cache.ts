import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where Linux lists the caches of every core. */
const CPUS = '/sys/devices/system/cpu';
/** Used where the machine does not say: more than any server processor has. */
const UNKNOWN_MIB = 1024;

/** Mebibytes of all last-level caches of this machine together; a generous guess where it does not say. */
export function lastLevelCacheMiB(cpus = CPUS): number {
  const caches = new Map<string, { readonly level: number; readonly mebibytes: number }>();
  for (const folder of cacheFolders(cpus)) {
    const read = (name: string): string => readFileSync(join(folder, name), 'utf8').trim();
    try {
      const level = Number(read('level'));
      caches.set(`${level}/${read('shared_cpu_list')}/${read('type')}`, { level, mebibytes: mebibytesOf(read('size')) });
    } catch {
      // A virtual machine may list a cache without its size. The other caches still count.
    }
  }
  const last = Math.max(0, ...[...caches.values()].map(({ level }) => level));
  const total = [...caches.values()].reduce((sum, { level, mebibytes }) => sum + (level === last ? mebibytes : 0), 0);
  return total > 0 ? Math.ceil(total) : UNKNOWN_MIB;
}

function cacheFolders(cpus: string): string[] {
  try {
    return readdirSync(cpus)
      .filter((name) => /^cpu\d+$/.test(name))
      .flatMap((cpu) => {
        const folder = join(cpus, cpu, 'cache');
        return readdirSync(folder).flatMap((name) => (name.startsWith('index') ? [join(folder, name)] : []));
      });
  } catch {
    return [];
  }
}

/** `32768K`, `32M`. */
function mebibytesOf(size: string): number {
  const [, digits, unit] = /^(\d+)([KMG]?)$/.exec(size) ?? [];
  const factor = { '': 2 ** -20, K: 2 ** -10, M: 1, G: 2 ** 10 }[unit ?? ''] ?? Number.NaN;
  const mebibytes = Number(digits) * factor;
  if (!(mebibytes > 0)) throw new RangeError(`no size: ${size}`);
  return mebibytes;
}
