import { generateSamples } from '../../data/generate.ts';
import type { TaskName } from '../../data/tasks.ts';
import { userTurn } from '../../model/format/template/chat-template.ts';
import type { LanguageModel } from '../../model/inference/language-model.ts';

/** A prompt whose answer is compared, and a completion whose loss and influence are compared. */
export interface AgreementItem {
  readonly task: string;
  /** Nominal tokens of the prompt and its answer together. */
  readonly length: number;
  readonly isProfiled: boolean;
  readonly prompt: Int32Array;
  readonly completion: Int32Array;
  readonly maxNewTokens: number;
}

export interface ItemsOptions {
  readonly tasks: readonly TaskName[];
  readonly lengths: readonly number[];
  /** How many samples each task and length has. */
  readonly samples: number;
  /** The first so many samples of each task and length are profiled too, when the length is at most 2048 tokens. */
  readonly influenceSamples: number;
}

/** Answers are cut at so many tokens: after the first token that differs, all later ones differ too and tell nothing. */
const MOST_NEW_TOKENS = 48;
/** Tokens of a length that the prompt leaves free for its answer. */
const RESERVE = 64;
const LONGEST_PROFILE = 2048;

/** Samples of generated tasks, by the model's tokenizer and chat template. */
export function agreementItems(
  model: LanguageModel,
  { tasks, lengths, samples, influenceSamples }: ItemsOptions,
): readonly AgreementItem[] {
  const encode = (text: string): Int32Array => Int32Array.from(model.tokenizer.encode(text));
  const options = { count: samples, tokenizer: model.tokenizer, split: 'eval', wrapUser: userTurn(model) } as const;
  return tasks.flatMap((task) =>
    lengths.flatMap((length) =>
      [...generateSamples({ ...options, task, targetTokens: length - RESERVE, seed: `parity/${length}` })].map((sample, number) => ({
        task,
        length,
        isProfiled: length <= LONGEST_PROFILE && number < influenceSamples,
        prompt: encode(sample.prompt),
        completion: encode(sample.completion ?? sample.answers[0] ?? ''),
        maxNewTokens: Math.min(MOST_NEW_TOKENS, sample.maxNewTokens),
      })),
    ),
  );
}
