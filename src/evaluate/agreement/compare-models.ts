import { DEFAULT_SINK_TOKENS } from '../../core/blocks.ts';
import type { OnProgress } from '../../core/progress.ts';
import type { LanguageModel } from '../../model/inference/language-model.ts';
import { type InfluenceSums, influenceProfile } from '../../model/profile/influence.ts';
import type { FloatDType } from '../../native/backend.ts';
import { type Divergence, divergence, greedyAnswer } from './answers.ts';
import { compareProfiles, type InfluenceAgreement } from './influence.ts';
import type { AgreementItem } from './items.ts';

export interface AgreementOptions {
  readonly items: readonly AgreementItem[];
  readonly signal: AbortSignal;
  readonly onProgress: OnProgress;
}

/** How well the model, with activations of this dtype, agrees with the reference. */
export interface AgreementRow {
  readonly dtype: FloatDType;
  readonly samples: number;
  readonly equal: number;
  /** How many answers differ first at a token where the reference's two logits are a tie. */
  readonly ties: number;
  readonly different: readonly ({ readonly task: string; readonly length: number; readonly index: number } & Divergence)[];
  readonly influence: InfluenceAgreement | null;
  /** One sentence for each result that is outside its limit. */
  readonly faults: readonly string[];
}

/** The epsilon of the influence formula: the machine epsilon of f32, as when plans are made. */
const EPSILON = 2 ** -23;
/** The least share of answers that must be equal or ties, 0..1. */
const LEAST_EQUAL = 0.99;
/**
 * The largest relative difference of influence and of mean loss, over the samples of a length. The 16-bit limits are about three times what a GPU showed
 * against the cpu on the bundled model at 2,048 tokens: 1.6e-2 in bf16 and 3.5e-3 in f16. In f32 the order of sums gives 3e-6; a difference above the
 * limit means that a kernel is wrong.
 */
const LIMITS: Readonly<Record<FloatDType, number>> = { bf16: 5e-2, f16: 1e-2, f32: 1e-4 };

/** The answers and profiles of the reference; every candidate is compared with them. */
export class Agreement {
  readonly #reference: LanguageModel;
  readonly #options: AgreementOptions;
  readonly #items: readonly AgreementItem[];
  readonly #answers: Int32Array[] = [];
  readonly #profiles: InfluenceSums[] = [];

  /** Computes the answers (with an f32 cache) and the profiles of the reference. */
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
    this.#items = options.items;
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

  async #each(stage: string, work: (item: AgreementItem, index: number) => Promise<void>): Promise<void> {
    const { signal, onProgress } = this.#options;
    for (const [done, item] of this.#items.entries()) {
      signal.throwIfAborted();
      onProgress({ stage, done, total: this.#items.length, detail: `${item.task} ${item.length}` });
      await work(item, done);
    }
    onProgress({ stage, done: this.#items.length, total: this.#items.length });
  }

  #answer(model: LanguageModel, { prompt, maxNewTokens }: AgreementItem, kvDType: FloatDType): Promise<Int32Array> {
    return greedyAnswer(model, { prompt, maxNewTokens, kvDType, signal: this.#options.signal });
  }

  #profile(model: LanguageModel, { prompt, completion }: AgreementItem): Promise<InfluenceSums> {
    const tokens = Int32Array.from([...prompt, ...completion]);
    return influenceProfile(model, { tokens, answerStart: prompt.length, sink: DEFAULT_SINK_TOKENS, epsilon: EPSILON });
  }
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
