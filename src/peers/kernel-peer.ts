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
  /** The command that starts it, see `kernelPeerCommand`. */
  readonly command: readonly string[];
  /** Path of the CUDA library; null: the peers alone. */
  readonly library: string | null;
  /** Of random numbers, from which all timed shapes take their tensors. */
  readonly poolBytes: number;
  readonly log: string;
  readonly signal: AbortSignal;
}

/** Starts PyTorch's kernels on `device` in this Python. */
export function kernelPeerCommand(python: string, device: 'cuda' | 'cpu'): string[] {
  return [python, '-m', 'moabench_peers.kernels', device];
}

/** PyTorch's kernels and ours in one process. Errors of its methods as `PeerProcess.ask`. */
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

  /** Whether the process is gone, so that only a new one can go on. */
  get isGone(): boolean {
    return this.#process.isGone;
  }

  /** What a small shape came to beside float64. */
  async check(spec: CheckSpec, standstillMs: number): Promise<readonly Finding[]> {
    return (await this.#process.ask({ ask: 'check', spec }, checkedSchema, { standstillMs })).checks;
  }

  /** Makes a timed shape and warms up its arms; `check`: compares ours with a reference at this shape. */
  async prepare(
    request: { readonly spec: KernelSpec; readonly arms: readonly ArmSpec[]; readonly check: boolean },
    standstillMs: number,
  ): Promise<Prepared> {
    return this.#process.ask({ ask: 'prepare', ...request }, preparedSchema, { standstillMs });
  }

  /** One sample of every arm that a round names, in this order. */
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
