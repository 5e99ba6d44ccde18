import type { KvCache, Tensor } from '../../native/backend.ts';
import { rotaryFrequencies, type Stage } from '../stage.ts';
import { advance, appendTokens, attentionScale, type CacheScenario, LAYER, makeCache } from './cache-scenario.ts';

export interface StepShape extends CacheScenario {
  readonly prompt: readonly number[];
  /** Cache sequence of every row of the step. */
  readonly rows: readonly number[];
  readonly steps: number;
}

/** One decode step on fixed tensors: inputs are written before it, the output is read after it. */
export class FixedStep {
  readonly cache: KvCache;
  readonly out: Tensor;
  readonly #stage: Stage;
  readonly #fused: Tensor;
  readonly #shape: StepShape;
  readonly #inverseFrequencies: Tensor;

  constructor(stage: Stage, shape: StepShape, cache: KvCache) {
    const { heads, kvHeads, headDim, rows, activations } = shape;
    this.cache = cache;
    this.#stage = stage;
    this.#shape = shape;
    this.#fused = stage.poisoned([rows.length, (heads + 2 * kvHeads) * headDim], activations);
    this.out = stage.poisoned([rows.length, heads, headDim], activations);
    this.#inverseFrequencies = stage.of(rotaryFrequencies(headDim), [headDim / 2]);
  }

  enqueue(): void {
    const { heads, kvHeads, headDim, rows } = this.#shape;
    const { backend } = this.#stage;
    const q = this.#fused.columns(0, [heads, headDim]);
    const k = this.#fused.columns(heads * headDim, [kvHeads, headDim]);
    const v = this.#fused.columns((heads + kvHeads) * headDim, [kvHeads, headDim]);
    const at = { cache: this.cache, layer: LAYER, sequences: Int32Array.from(rows) };
    backend.decodeAppend({ ...at, q, k, v, inverseFrequencies: this.#inverseFrequencies, scale: 1 });
    backend.attentionDecode({ ...at, q, out: this.out, scale: attentionScale(headDim) });
  }

  write(values: Float32Array): void {
    this.#fused.write(values);
  }

  /** Ends the step: one token more for every row. */
  advance(): void {
    const { prompt, rows } = this.#shape;
    advance(
      this.#stage,
      this.cache,
      prompt.map((_, sequence) => Number(rows.includes(sequence))),
    );
  }
}

export function inputsOf(stage: Stage, { heads, kvHeads, headDim, rows }: StepShape): Float32Array {
  return stage.normals(rows.length * (heads + 2 * kvHeads) * headDim);
}

/** Two steps on caches with the same random history. */
export async function twoSteps(stage: Stage, shape: StepShape): Promise<readonly [FixedStep, FixedStep]> {
  const { kvHeads, headDim, prompt, activations: dtype = 'f32' } = shape;
  const tokens = prompt.reduce((total, n) => total + n, 0);
  const [k, v] = [0, 1].map(() => stage.normal([tokens, kvHeads, headDim], { dtype })) as [Tensor, Tensor];
  const scenario = { ...shape, sequences: prompt.length };
  const caches = [makeCache(stage, scenario), makeCache(stage, scenario)] as const;
  for (const cache of caches) await appendTokens(stage, cache, { k, v, counts: prompt });
  return [new FixedStep(stage, shape, caches[0]), new FixedStep(stage, shape, caches[1])];
}
