import { z } from 'zod';
import { PeerProcess } from './peer-process.ts';
import type { Hello } from './protocol.ts';
import { pythonEnvironment } from './python.ts';

const generatedSchema = z.strictObject({ prefillMs: z.number(), decodeMs: z.number(), tokens: z.array(z.int()) });
/** The time up to the first token, the time of the tokens after it, and all new tokens. */
export type Generated = z.infer<typeof generatedSchema>;

export interface TransformersOptions {
  /** `python -m moabench_peers.transformers`, or what stands in for it. */
  readonly command: readonly string[];
  /** A model folder in the layout of Hugging Face. */
  readonly model: string;
  readonly threads: number;
  readonly log: string;
  readonly signal: AbortSignal;
}

export function transformersPeerCommand(python: string): string[] {
  return [python, '-m', 'moabench_peers.transformers'];
}

/** A model in Hugging Face's transformers, on the CPU in float32. Its methods throw what `PeerProcess.ask` throws. */
export class TransformersPeer {
  readonly hello: Hello;
  readonly #process: PeerProcess;

  static async launch({ command, model, threads, log, signal }: TransformersOptions): Promise<TransformersPeer> {
    const peer = await PeerProcess.launch({ name: 'transformers', command, log, signal, env: pythonEnvironment() });
    try {
      await peer.ask({ ask: 'load', model, threads }, z.strictObject({ threads: z.int() }));
      return new TransformersPeer(peer);
    } catch (error) {
      await peer.close();
      throw error;
    }
  }

  private constructor(peer: PeerProcess) {
    this.#process = peer;
    this.hello = peer.hello;
  }

  /** A greedy continuation: the first token after the prompt, then `newTokens` more. */
  async generate(request: { readonly tokens: readonly number[]; readonly newTokens: number }): Promise<Generated> {
    return this.#process.ask({ ask: 'generate', ...request }, generatedSchema);
  }

  async close(): Promise<void> {
    await this.#process.close();
  }
}
