import { DEFAULT_SINK_TOKENS } from '../../core/blocks.ts';
import type { OnProgress } from '../../core/progress.ts';
import { generateSamples } from '../../data/generate.ts';
import type { Sample } from '../../data/sample.ts';
import type { TaskName } from '../../data/tasks.ts';
import { userTurn } from '../../model/format/template/chat-template.ts';
import type { LanguageModel } from '../../model/inference/language-model.ts';
import { type InfluenceSums, influenceProfile } from '../../model/profile/influence.ts';
import type { FloatDType } from '../../native/backend.ts';
import { type Divergence, divergence, greedyAnswer } from './answers.ts';
import { compareProfiles, type InfluenceAgreement } from './influence.ts';

export interface AgreementOptions {
  readonly tasks: readonly TaskName[];
  readonly lengths: readonly number[];
  /** Per task and length. */
  readonly samples: number;
  /** Of these, the first so many are profiled too, where their length is at most 2048 tokens. */
  readonly influenceSamples: number;
  readonly signal: AbortSignal;
  readonly onProgress: OnProgress;
}

/** How one model with these activations agrees with the reference. */
export interface AgreementRow {
  readonly dtype: FloatDType;
  readonly samples: number;
  readonly equal: number;
  /** Answers that differ where the reference's two logits are a tie. */
  readonly ties: number;
  readonly different: readonly ({ readonly task: string; readonly length: number; readonly index: number } & Divergence)[];
  readonly influence: InfluenceAgreement | null;
  /** What is outside its limit, a sentence each. */
  readonly faults: readonly string[];
}

/** Answers are cut here: an early token that differs makes all later ones differ. */
const MOST_NEW_TOKENS = 48;
/** A prompt leaves room for its answer. */
const RESERVE = 64;
const LONGEST_PROFILE = 2048;
/** Machine epsilon of f32, as when plans are made. */
const EPSILON = 2 ** -23;
/** Of answers that must be equal or ties. */
const LEAST_EQUAL = 0.99;
/**
 * Relative, of influence and mean loss over the samples of a length. About three times what a GPU measured beside the cpu on the bundled model:
 * 1.6e-2 in bf16 and 3.5e-3 in f16 (2,048 tokens); in f32 the order of sums gives 3e-6, and the limit is a kernel that is wrong.
 */
const LIMITS: Readonly<Record<FloatDType, number>> = { bf16: 5e-2, f16: 1e-2, f32: 1e-4 };

interface Item {
  readonly task: TaskName;
  readonly length: number;
  readonly isProfiled: boolean;
  readonly prompt: Int32Array;
  readonly completion: Int32Array;
  readonly maxNewTokens: number;
}

/** The reference's answers and profiles, which every candidate is compared with. */
export class Agreement {
  readonly #reference: LanguageModel;
  readonly #options: AgreementOptions;
  readonly #items: readonly Item[];
  readonly #answers: Int32Array[] = [];
  readonly #profiles: InfluenceSums[] = [];

  /** Samples come from the reference's tokenizer and chat template. */
  static async of(reference: LanguageModel, options: AgreementOptions): Promise<Agreement> {
    const made = new Agreement(reference, options);
    await made.#each('reference', async (item) => {
      made.#answers.push(await made.#answer(reference, item, 'f32'));
      if (item.isProfiled) made.#profiles.push(await made.#profile(reference, item));
    });
    return made;
  }

  private constructor(reference: LanguageModel, options: AgreementOptions) {
    this.#reference = reference;
    this.#options = options;
    this.#items = options.tasks.flatMap((task) => options.lengths.flatMap((length) => itemsOf(reference, options, task, length)));
  }

  /** Compares a candidate: the same model on another backend. */
  async compare(candidate: LanguageModel): Promise<AgreementRow> {
    const dtype = candidate.activationDType;
    const different: AgreementRow['different'][number][] = [];
    const profiles: InfluenceSums[] = [];
    await this.#each(dtype, async (item, index) => {
      const received = await this.#answer(candidate, item, dtype);
      const wanted = this.#answers[index] ?? new Int32Array(0);
      const found = await divergence(this.#reference, { prompt: item.prompt, wanted, received, dtype });
      if (found !== null) different.push({ task: item.task, length: item.length, index, ...found });
      if (item.isProfiled) profiles.push(await this.#profile(candidate, item));
    });
    const ties = different.filter(({ isTie }) => isTie).length;
    const samples = this.#items.length;
    const influence = this.#compareProfiles(profiles);
    const row = { dtype, samples, equal: samples - different.length, ties, different, influence };
    return { ...row, faults: faultsOf(row) };
  }

  #compareProfiles(profiles: readonly InfluenceSums[]): InfluenceAgreement | null {
    const pairs = this.#items
      .filter(({ isProfiled }) => isProfiled)
      .flatMap(({ task, length }, i) => {
        const [wanted, received] = [this.#profiles[i], profiles[i]];
        return wanted === undefined || received === undefined ? [] : [{ task, length, wanted, received }];
      });
    const { layers, kvHeads } = this.#reference.config;
    return pairs.length === 0 ? null : compareProfiles(pairs, layers * kvHeads);
  }

  async #each(stage: string, work: (item: Item, index: number) => Promise<void>): Promise<void> {
    const { signal, onProgress } = this.#options;
    for (const [done, item] of this.#items.entries()) {
      signal.throwIfAborted();
      onProgress({ stage, done, total: this.#items.length, detail: `${item.task} ${item.length}` });
      await work(item, done);
    }
    onProgress({ stage, done: this.#items.length, total: this.#items.length });
  }

  #answer(model: LanguageModel, { prompt, maxNewTokens }: Item, kvDType: FloatDType): Promise<Int32Array> {
    return greedyAnswer(model, { prompt, maxNewTokens, kvDType, signal: this.#options.signal });
  }

  #profile(model: LanguageModel, { prompt, completion }: Item): Promise<InfluenceSums> {
    const tokens = Int32Array.from([...prompt, ...completion]);
    return influenceProfile(model, { tokens, answerStart: prompt.length, sink: DEFAULT_SINK_TOKENS, epsilon: EPSILON });
  }
}

function itemsOf(model: LanguageModel, options: AgreementOptions, task: TaskName, length: number): Item[] {
  const { tokenizer } = model;
  const encode = (text: string): Int32Array => Int32Array.from(tokenizer.encode(text));
  const samples: Iterable<Sample> = generateSamples({
    task,
    targetTokens: length - RESERVE,
    count: options.samples,
    seed: `parity/${length}`,
    tokenizer,
    split: 'eval',
    wrapUser: userTurn(model),
  });
  return [...samples].map((sample, number) => ({
    task,
    length,
    isProfiled: length <= LONGEST_PROFILE && number < options.influenceSamples,
    prompt: encode(sample.prompt),
    completion: encode(sample.completion ?? sample.answers[0] ?? ''),
    maxNewTokens: Math.min(MOST_NEW_TOKENS, sample.maxNewTokens),
  }));
}

function faultsOf({ dtype, samples, equal, ties, influence }: Omit<AgreementRow, 'faults'>): string[] {
  const limit = LIMITS[dtype];
  const wrong = samples - equal - ties;
  const answers = wrong > (1 - LEAST_EQUAL) * samples ? [`${wrong} of ${samples} answers differ where the logits are no tie`] : [];
  const lengths = (influence?.lengths ?? []).flatMap(({ length, samples: _, ...distances }) =>
    Object.entries(distances)
      .filter(([, distance]) => !(distance <= limit))
      .map(([what, distance]) => `${what} at ${length} tokens is ${distance.toExponential(1)} off, more than ${limit}`),
  );
  return [...answers, ...lengths];
}
