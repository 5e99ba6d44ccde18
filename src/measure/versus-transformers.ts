import type { OnProgress } from '../core/progress.ts';
import { median } from '../core/statistics/descriptive.ts';
import { pairedRatio, type TimingRatio } from '../core/statistics/timing.ts';
import { generateSamples } from '../data/generate.ts';
import { generate } from '../model/inference/generate.ts';
import type { LanguageModel } from '../model/inference/language-model.ts';
import type { FloatDType } from '../native/backend.ts';
import type { TransformersPeer } from '../peers/transformers-peer.ts';
import { wholeLayout } from '../plan/cache-layout.ts';
import { interleave } from './interleave.ts';

export interface VersusOptions {
  readonly tokens: number;
  /** Decode steps. */
  readonly newTokens: number;
  /** The first warms up, and is left out of what is said. */
  readonly rounds: number;
  readonly signal: AbortSignal;
  readonly onProgress: OnProgress;
}

export interface VersusReport {
  readonly tokens: number;
  readonly newTokens: number;
  /** Milliseconds by `<prefill or decode> <ours f32, ours bf16 or pytorch>`, one a round. */
  readonly samples: Readonly<Record<string, readonly number[]>>;
  /** Time of the peer over ours: above 1 ours is faster. Rounds of one process. */
  readonly ratios: readonly ({ readonly name: string } & TimingRatio)[];
  /** Whether the greedy tokens are the peer's, from a cache in f32. */
  readonly sameTokens: boolean;
}

/** Storage of our keys and values. */
const CACHES = ['f32', 'bf16'] as const satisfies readonly FloatDType[];

/** Times a prompt and its continuation on our backend and in transformers: same model, same tokens, rounds in random order. */
export async function versusTransformers(model: LanguageModel, peer: TransformersPeer, options: VersusOptions): Promise<VersusReport> {
  const { tokens, newTokens, rounds, signal, onProgress } = options;
  const prompt = promptOf(model, tokens);
  const samples: Record<string, number[]> = {};
  const answers = new Map<string, string>();
  const note = (who: string, { prefillMs, decodeMs }: { readonly prefillMs: number; readonly decodeMs: number }): number => {
    for (const [phase, ms] of [['prefill', prefillMs] as const, ['decode', decodeMs] as const]) {
      const name = `${phase} ${who}`;
      samples[name] = [...(samples[name] ?? []), ms];
    }
    return prefillMs + decodeMs;
  };
  const ours = (dtype: (typeof CACHES)[number]) => async (): Promise<number> => {
    const layout = wholeLayout(model.config, { tokens: tokens + newTokens + 1, dtype });
    const run = await generate(model, { requests: [{ tokens: prompt, layout, maxNewTokens: newTokens + 1 }], stopTokens: [], signal });
    answers.set(dtype, String(run.outputs[0]?.tokens));
    return note(`ours ${dtype}`, run);
  };
  const theirs = async (): Promise<number> => {
    const run = await peer.generate({ tokens: [...prompt], newTokens });
    answers.set('pytorch', String(run.tokens));
    return note('pytorch', run);
  };
  const arms = [...CACHES.map((dtype) => ({ id: `ours ${dtype}`, run: ours(dtype) })), { id: 'pytorch', run: theirs }];
  await interleave(arms, { rounds: rounds - 1, warmupRounds: 1, seed: 'versus', stage: 'versus', signal, onProgress });
  const measured = (name: string): readonly number[] => (samples[name] ?? []).slice(1);
  const ratios = ['prefill', 'decode'].flatMap((phase) =>
    CACHES.map((dtype) => ({
      name: `${phase}: time of PyTorch / ours, ${dtype} cache`,
      ...pairedRatio(measured(`${phase} pytorch`), measured(`${phase} ours ${dtype}`)),
    })),
  );
  return { tokens, newTokens, samples, ratios, sameTokens: answers.get('f32') === answers.get('pytorch') };
}

function promptOf(model: LanguageModel, tokens: number): Int32Array {
  const targetTokens = Math.ceil(tokens * 1.05); // a prompt may have 2% less than its target
  const [sample] = generateSamples({ task: 'lines', targetTokens, count: 1, seed: 'bench', tokenizer: model.tokenizer, split: 'eval' });
  return Int32Array.from(model.tokenizer.encode(sample?.prompt ?? '')).slice(0, tokens);
}

export function versusText({ samples, ratios, sameTokens }: VersusReport): string {
  return [
    ...Object.entries(samples).map(([name, ms]) => `${name.padEnd(20)} ${median(ms.slice(1)).toFixed(1).padStart(10)} ms`),
    ...ratios.map(({ name, estimate, low, high, rounds }) => {
      const interval = low === null || high === null ? '(too few rounds for an interval)' : `[${low.toFixed(2)}, ${high.toFixed(2)}]`;
      return `${name}: ${estimate.toFixed(2)} ${interval} n = ${rounds} rounds in one process`;
    }),
    `greedy tokens are ${sameTokens ? '' : 'not '}the peer's`,
  ].join('\n');
}
