import { z } from 'zod';
import {
  type ArmSpec,
  type CheckSpec,
  checkedSchema,
  type Finding,
  type KernelSpec,
  type Opened,
  openedSchema,
  type Prepared,
  preparedSchema,
  type Timed,
  timedSchema,
} from './kernel-protocol.ts';
import { PeerProcess } from './peer-process.ts';
import type { Hello } from './protocol.ts';
import { pythonEnvironment } from './python.ts';

export interface KernelPeerOptions {
  /** The command that starts the peer, see `kernelPeerCommand`. */
  readonly command: readonly string[];
  /** Path of the CUDA library; null: only PyTorch's kernels run. */
  readonly library: string | null;
  /** Bytes of the pool of random numbers from which all timed shapes take their tensors. */
  readonly poolBytes: number;
  readonly log: string;
  readonly signal: AbortSignal;
}

/** The command that starts PyTorch's kernels on `device`. `python`: path of the Python to use. */
export function kernelPeerCommand(python: string, device: 'cuda' | 'cpu'): string[] {
  return [python, '-m', 'moabench_peers.kernels', device];
}

/** PyTorch's kernels and ours in one process. Its methods throw what `PeerProcess.ask` throws. */
export class KernelPeer {
  readonly hello: Hello;
  readonly opened: Opened;
  readonly #process: PeerProcess;

  static async launch({ command, library, poolBytes, log, signal }: KernelPeerOptions): Promise<KernelPeer> {
    const peer = await PeerProcess.launch({ name: 'pytorch-kernels', command, log, signal, env: pythonEnvironment() });
    try {
      return new KernelPeer(peer, await peer.ask({ ask: 'open', library, poolBytes }, openedSchema));
    } catch (error) {
      await peer.close();
      throw error;
    }
  }

  private constructor(peer: PeerProcess, opened: Opened) {
    this.#process = peer;
    this.hello = peer.hello;
    this.opened = opened;
  }

  /** Whether the process is gone; only a new process can then continue. */
  get isGone(): boolean {
    return this.#process.isGone;
  }

  /** The errors of a small shape against float64. */
  async check(spec: CheckSpec, standstillMs: number): Promise<readonly Finding[]> {
    return (await this.#process.ask({ ask: 'check', spec }, checkedSchema, { standstillMs })).checks;
  }

  /** Makes a timed shape and warms up its arms. `check`: whether to compare our kernel with a reference at this shape. */
  async prepare(
    request: { readonly spec: KernelSpec; readonly arms: readonly ArmSpec[]; readonly check: boolean },
    standstillMs: number,
  ): Promise<Prepared> {
    return this.#process.ask({ ask: 'prepare', ...request }, preparedSchema, { standstillMs });
  }

  /** The samples of the prepared arms. `rounds`: the arms of each round in their order; each arm of a round gives one sample. */
  async time(rounds: readonly (readonly string[])[], standstillMs: number): Promise<Timed> {
    return this.#process.ask({ ask: 'time', rounds }, timedSchema, { standstillMs });
  }

  async release(): Promise<void> {
    await this.#process.ask({ ask: 'release' }, z.strictObject({}));
  }

  async close(): Promise<void> {
    await this.#process.close();
  }
}
