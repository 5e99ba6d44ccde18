import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { arch, availableParallelism, cpus, freemem, loadavg, platform, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';

const text = z.string().nullable();

/** The machine, the runtime and the code that a measured number depends on besides the suite: the content of environment.json. */
export const environmentSchema = z.strictObject({
  version: z.literal(1),
  time: z.iso.datetime(),
  cpu: z.strictObject({
    model: z.string(),
    logicalCores: z.int(),
    usableCores: z.int(),
    megahertz: z.number().nullable(),
    governor: text,
    loadAverage: z.array(z.number()),
  }),
  memory: z.strictObject({ totalBytes: z.number(), freeBytes: z.number(), limitBytes: z.number().nullable() }),
  container: z.strictObject({ detected: text, cpuQuota: z.number().nullable() }),
  os: z.strictObject({ platform: z.string(), release: z.string(), arch: z.string(), distribution: text }),
  node: z.string(),
  variables: z.record(z.string(), z.string()),
  git: z.strictObject({ commit: z.string(), dirty: z.boolean() }).nullable(),
  moabench: z.string(),
  packages: z.record(z.string(), z.string()),
  backend: z.strictObject({
    name: z.string(),
    description: z.string(),
    details: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
  }),
});
export type Environment = z.infer<typeof environmentSchema>;

/** Environment variables that change how many threads compute. Others may hold secrets and are not read. */
const THREAD_VARIABLES = ['OMP_NUM_THREADS', 'OMP_PROC_BIND', 'OMP_PLACES', 'UV_THREADPOOL_SIZE', 'CUDA_VISIBLE_DEVICES'] as const;

/** The values of the variables in `THREAD_VARIABLES`, by name. Variables that are not set are left out. */
export function threadVariables(): { [name: string]: string } {
  return Object.fromEntries(THREAD_VARIABLES.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])));
}

export interface EnvironmentInput {
  /** Folder with the package.json and, in a checkout, the .git of this program. */
  readonly root: string;
  readonly backend: Environment['backend'];
  readonly time?: Date;
  /** The load averages before this process began to compute. Without them, the load averages of this moment are taken. */
  readonly loadAverage?: readonly number[];
}

/** The machine, the runtime and the code as they are now. What cannot be read is null, or 'unknown'. */
export function captureEnvironment({ root, backend, time = new Date(), loadAverage = loadavg() }: EnvironmentInput): Environment {
  const processors = cpus();
  const { version, packages } = packageVersions(root);
  return {
    version: 1,
    time: time.toISOString(),
    cpu: {
      model: processors[0]?.model.trim() ?? 'unknown',
      logicalCores: processors.length,
      usableCores: availableParallelism(),
      megahertz: processors[0]?.speed || null,
      governor: contentOf('/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor'),
      loadAverage: [...loadAverage],
    },
    memory: { totalBytes: totalmem(), freeBytes: freemem(), limitBytes: memoryLimit() },
    container: { detected: containerKind(), cpuQuota: cpuQuota() },
    os: { platform: platform(), release: release(), arch: arch(), distribution: distribution() },
    node: process.version,
    variables: threadVariables(),
    git: gitState(root),
    moabench: version,
    packages,
    backend,
  };
}

function contentOf(path: string): string | null {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return null;
  }
}

function memoryLimit(): number | null {
  const limit = Number(contentOf('/sys/fs/cgroup/memory.max') ?? Number.NaN);
  return Number.isFinite(limit) ? limit : null;
}

/** CPUs that the control group grants: quota / period. */
function cpuQuota(): number | null {
  const [quota, period] = (contentOf('/sys/fs/cgroup/cpu.max') ?? '').split(' ').map(Number);
  return quota !== undefined && period !== undefined && Number.isFinite(quota) && period > 0 ? quota / period : null;
}

function containerKind(): string | null {
  if (existsSync('/.dockerenv')) return 'docker';
  if (existsSync('/run/.containerenv')) return 'podman';
  return /(docker|kubepods|containerd|lxc)/.exec(contentOf('/proc/1/cgroup') ?? '')?.[1] ?? null;
}

function distribution(): string | null {
  return /^PRETTY_NAME="?([^"\n]*)/m.exec(contentOf('/etc/os-release') ?? '')?.[1] ?? null;
}

function gitState(root: string): Environment['git'] {
  if (!existsSync(join(root, '.git'))) return null;
  const git = (...args: string[]): string =>
    execFileSync('git', ['-C', root, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], timeout: 10_000 });
  try {
    return { commit: git('rev-parse', 'HEAD').trim(), dirty: git('status', '--porcelain', '--untracked-files=no').trim() !== '' };
  } catch {
    return null;
  }
}

const manifestSchema = z.looseObject({ version: z.string(), dependencies: z.record(z.string(), z.string()).optional() });

function packageVersions(root: string): { version: string; packages: { [name: string]: string } } {
  const parsed = manifestSchema.safeParse(JSON.parse(contentOf(join(root, 'package.json')) ?? 'null'));
  return parsed.success ? { version: parsed.data.version, packages: parsed.data.dependencies ?? {} } : { version: 'unknown', packages: {} };
}
