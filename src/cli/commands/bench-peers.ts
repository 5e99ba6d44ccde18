import { mkdtempSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { invalidArgument } from '../../core/errors.ts';
import { writeFileAtomic } from '../../core/files.ts';
import { sha256File } from '../../core/hash.ts';
import { kernelPlan } from '../../measure/kernels/plan.ts';
import { type KernelsBody, kernelsBody } from '../../measure/kernels/record.ts';
import { runPeerKernels } from '../../measure/kernels/run.ts';
import { kernelsText } from '../../measure/kernels/text.ts';
import { cudaLibraryPath } from '../../native/cuda.ts';
import { KernelPeer, kernelPeerCommand } from '../../peers/kernel-peer.ts';
import { findPython } from '../../peers/python.ts';
import { captureEnvironment, type Environment } from '../../records/environment.ts';
import { EXIT } from '../exit-code.ts';
import { interruptible } from '../interrupt.ts';
import { print, tell } from '../output.ts';
import { progressDisplay } from '../progress-display.ts';

export interface PeerFlags {
  readonly backend: 'cpu' | 'cuda';
  readonly only: readonly string[];
  readonly processes: number;
  readonly python?: string;
  readonly quick: boolean;
  readonly shrink: number;
  /** Seconds. */
  readonly budget?: number;
  readonly out?: string;
  readonly json: boolean;
}

/** What `moabench bench --peers` writes. */
interface KernelsRecord extends KernelsBody {
  readonly version: 1;
  readonly kind: 'kernels';
  readonly environment: Environment;
  /** The worker of the first process. */
  readonly peer: {
    readonly engine: string;
    readonly python: string;
    readonly versions: KernelPeer['hello']['versions'];
    readonly device: KernelPeer['hello']['device'];
    readonly clockReader: string | null;
    readonly library: { readonly path: string; readonly sha256: string } | null;
  };
  readonly processes: number;
  readonly quick: boolean;
  readonly shrink: number;
  readonly seconds: number;
}

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** The least --shrink on a cpu. A cpu run only tries out PyTorch's kernels, and whole shapes would take 14 GB of tensors and minutes for each call. */
const LEAST_CPU_SHRINK = 8;

/**
 * moabench bench --peers: times our kernels beside PyTorch's in one process, and repeats that in several processes. Without a GPU, only PyTorch's
 * kernels run.
 */
export async function benchPeers(flags: PeerFlags): Promise<void> {
  refuseWholeOnCpu(flags);
  const loadAverage = loadavg();
  const began = performance.now();
  const python = await findPython({ asked: flags.python, module: 'torch' });
  const plan = kernelPlan(flags);
  const library = flags.backend === 'cuda' ? cudaLibraryPath() : null;
  const librarySha256 = library === null ? null : await sha256File(library);
  const log = join(mkdtempSync(join(tmpdir(), 'moabench-peers-')), 'worker.log');
  tell(`the worker's log: ${log}\n`);
  let first: KernelPeer | undefined;
  const launch = async (signal: AbortSignal): Promise<KernelPeer> => {
    const command = kernelPeerCommand(python, flags.backend);
    const peer = await KernelPeer.launch({ command, library, poolBytes: plan.poolBytes, log, signal });
    first ??= peer;
    return peer;
  };
  const recorded = (body: KernelsBody): KernelsRecord | undefined => {
    if (first === undefined) return undefined;
    const record = recordOf(body, { flags, peer: first, python, library, librarySha256, loadAverage, began });
    if (flags.out !== undefined) writeFileAtomic(flags.out, `${JSON.stringify(record)}\n`);
    return record;
  };
  const display = progressDisplay({ quiet: false });
  const found = await interruptible(
    ({ signal }) =>
      runPeerKernels({
        ...plan,
        processes: flags.processes,
        budgetMs: (flags.budget ?? Number.POSITIVE_INFINITY) * 1e3,
        signal,
        launch: () => launch(signal),
        onProgress: display.onProgress,
        onProcess: (run) => recorded(kernelsBody(run)),
      }),
    { beforeExit: () => display.stop() },
  );
  display.stop();
  const body = kernelsBody(found);
  const record = recorded(body);
  print(flags.json ? `${JSON.stringify(record)}\n` : `${kernelsText(body)}\n`);
  const isWrong = body.failures.length > 0 || body.checks.some(({ passed }) => !passed);
  process.exitCode = isWrong ? EXIT.someFailed : EXIT.completed;
}

function refuseWholeOnCpu({ backend, shrink }: PeerFlags): void {
  if (backend === 'cuda' || shrink >= LEAST_CPU_SHRINK) return;
  const hint = 'The shapes are of a GPU; with --backend cuda they are timed whole.';
  throw invalidArgument(`at least ${LEAST_CPU_SHRINK}`, '--shrink on the cpu', shrink, hint);
}

interface RecordParts {
  readonly flags: PeerFlags;
  /** The worker of the first process. */
  readonly peer: KernelPeer;
  readonly python: string;
  readonly library: string | null;
  readonly librarySha256: string | null;
  readonly loadAverage: readonly number[];
  /** When the bench began, in the milliseconds of `performance.now()`. */
  readonly began: number;
}

function recordOf(body: KernelsBody, parts: RecordParts): KernelsRecord {
  const { flags, peer, python, library, librarySha256, loadAverage, began } = parts;
  const { engine, versions, device } = peer.hello;
  return {
    version: 1,
    kind: 'kernels',
    environment: captureEnvironment({ root: ROOT, backend: backendOf(flags.backend, peer), loadAverage }),
    peer: {
      engine,
      python,
      versions,
      device,
      clockReader: peer.opened.clockReader,
      library: library === null || librarySha256 === null ? null : { path: library, sha256: librarySha256 },
    },
    processes: flags.processes,
    quick: flags.quick,
    shrink: flags.shrink,
    seconds: (performance.now() - began) / 1e3,
    ...body,
  };
}

/** The backend as the worker described it. This process cannot describe it, because only the worker opens the device. */
function backendOf(name: 'cpu' | 'cuda', { hello, opened }: KernelPeer): Environment['backend'] {
  const { library } = opened;
  if (library === null) return { name, description: `PyTorch alone on ${hello.device.name}`, details: {} };
  return { name, description: `cuda: ${library.name}, ${library.blas}`, details: library };
}
