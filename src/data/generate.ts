import { invalidArgument, MoaError } from '../core/errors.ts';
import { Rng } from '../core/rng.ts';
import type { BuildContext, Builder, Draft } from './generators/draft.ts';
import { TokenEstimate } from './generators/estimate.ts';
import { evenOrder } from './generators/even-order.ts';
import { loadProse } from './prose.ts';
import { promptLength, type Sample, type Split, type TokenCounter } from './sample.ts';
import { TASKS, type Task, type TaskName } from './tasks.ts';

/** Which samples are made, and for whose tokenizer. */
export interface GenerateOptions {
  /** One of the generated tasks, such as `lines`. */
  readonly task: TaskName;
  /** The longest that a prompt may be, tokens. */
  readonly targetTokens: number;
  /** Samples. */
  readonly count: number;
  readonly seed: string | number;
  /** The model's own: lengths are counted by it. */
  readonly tokenizer: TokenCounter;
  /** `eval` by default. The two splits share neither seeds nor prose. */
  readonly split?: Split;
  /**
   * Puts the user's text into the model's conversation format; the reference model's by default. The result must contain the text
   * unchanged.
   */
  readonly wrapUser?: (user: string) => string;
}

/** A prompt may fall short of the target by this share, and never exceeds it. */
const SHORTFALL = 0.02;
/**
 * Maximum number of texts that are drawn, and how often each is built: once with a guess of the ratio of true to estimated tokens, and once
 * with the ratio that the first build showed.
 */
const DRAWS = 10;
const BUILDS = 2;
/** Factor on the ratio where the facts seem to leave no room: the ratio may be too high. */
const LESS = 0.9;
/** Size, in estimated tokens, of the trial text that shows a tokenizer's ratio for a task. Most tasks fit into it. */
const TRIAL_TOKENS = 700;

/**
 * Samples of one task at one length, one after the other: prompts have 98% to 100% of `targetTokens` by `tokenizer`. Equal options give
 * equal samples on every machine, and a larger `count` begins with the samples of a smaller one. Depth deciles are balanced over every ten
 * samples. Throws INVALID_ARGUMENT for a target that is too short for the task.
 */
export function* generateSamples(options: GenerateOptions): Generator<Sample> {
  const { targetTokens, count } = options;
  if (!(Number.isInteger(targetTokens) && targetTokens > 0)) throw invalidArgument('a positive integer', 'targetTokens', targetTokens);
  if (!(Number.isInteger(count) && count >= 0)) throw invalidArgument('a count', 'count', count);
  for (let index = 0; index < count; index++) yield generateSample(options, index);
}

/**
 * What is known of a tokenizer: its counts of words, and for each task the ratio of true to estimated tokens. Neither depends on the
 * samples that were made before.
 */
interface Measure {
  readonly estimate: TokenEstimate;
  readonly ratios: Map<TaskName, number>;
}

const measures = new WeakMap<TokenCounter, Measure>();

function measureOf(tokenizer: TokenCounter): Measure {
  const known = measures.get(tokenizer) ?? { estimate: new TokenEstimate(tokenizer), ratios: new Map() };
  measures.set(tokenizer, known);
  return known;
}

/** The ratio of true to estimated tokens in a fixed text of the task. The search for a sample's own ratio starts with it. */
function trialRatio(task: TaskName, tokenizer: TokenCounter): number {
  const { estimate, ratios } = measureOf(tokenizer);
  const known = ratios.get(task);
  if (known !== undefined) return known;
  const split = 'calibration';
  const prose = loadProse(split);
  const rng = new Rng(`ratio/${task}`);
  const draft = buildOrNothing(TASKS[task].build, {
    rng,
    prose,
    estimate,
    split,
    depthDecile: 5,
    budget: TRIAL_TOKENS,
    tolerance: TRIAL_TOKENS,
  });
  const ratio = draft === undefined ? 1 : tokenizer.encode(draft.user).length / estimate.count(draft.user);
  ratios.set(task, ratio);
  return ratio;
}

function generateSample(options: GenerateOptions, index: number): Sample {
  const { seed, targetTokens, split = 'eval' } = options;
  const task: Task = TASKS[options.task];
  const id = `${split}/${task.name}/${targetTokens}/${seed}/${index}`;
  const { draft, prompt, promptTokens } = fitted(options, { id, depthDecile: decileOf(options, index) });
  const offset = prompt.indexOf(draft.user);
  return {
    id,
    task: task.name,
    category: task.category,
    prompt,
    answers: draft.answers,
    completion: draft.completion ?? ` ${draft.answers[0]}`,
    ...(draft.allClasses === undefined ? {} : { allClasses: draft.allClasses }),
    metric: task.metric,
    ...(task.firstLineOnly ? { firstLineOnly: true } : {}),
    maxNewTokens: task.maxNewTokens,
    targetTokens,
    promptTokens,
    ...(draft.depth === undefined ? {} : { depth: draft.depth }),
    ...(draft.evidence === undefined ? {} : { evidence: [draft.evidence[0] + offset, draft.evidence[1] + offset] as const }),
    cluster: id,
  };
}

interface Fitted {
  readonly draft: Draft;
  readonly prompt: string;
  readonly promptTokens: number;
}

/**
 * Builds a text of an estimated length and counts the tokens of its prompt. If they miss the target, it builds again with the ratio of
 * counted to estimated tokens.
 */
function fitted(options: GenerateOptions, { id, depthDecile }: { id: string; depthDecile: number }): Fitted {
  const { task, targetTokens, tokenizer, split = 'eval', wrapUser = referenceChat } = options;
  const { estimate } = measureOf(tokenizer);
  const least = Math.ceil(targetTokens * (1 - SHORTFALL));
  const slack = targetTokens - least;
  const frame = promptLength(tokenizer, wrapUser(''));
  let ratio = trialRatio(task, tokenizer);
  for (let attempt = 0; attempt < DRAWS * BUILDS; attempt++) {
    // Half of the slack is for the filler's last unit, and a quarter on each side is for the error of the estimate.
    const budget = Math.floor((targetTokens - slack / 4 - frame) / ratio);
    const tolerance = Math.max(1, Math.floor(slack / 2 / ratio));
    const rng = new Rng(`${id}/${Math.floor(attempt / BUILDS)}`);
    const draft = buildOrNothing(TASKS[task].build, { rng, prose: loadProse(split), estimate, split, depthDecile, budget, tolerance });
    if (draft === undefined) {
      ratio *= LESS;
      continue;
    }
    const prompt = wrapUser(draft.user);
    const promptTokens = promptLength(tokenizer, prompt);
    if (promptTokens >= least && promptTokens <= targetTokens) return { draft, prompt, promptTokens };
    ratio = Math.max(1, promptTokens - frame) / estimate.count(draft.user);
  }
  throw new MoaError(
    `Expected a longer targetTokens for task ${task} but received ${targetTokens}: no prompt of ${least} tokens or more fits`,
    {
      code: 'INVALID_ARGUMENT',
      hint: '512 tokens are enough for every task with the reference tokenizer.',
    },
  );
}

/** A draft, or undefined where the facts of this draw leave too little room; another draw may have fewer facts. */
function buildOrNothing(build: Builder, context: BuildContext): Draft | undefined {
  try {
    return build(context);
  } catch (error) {
    if (error instanceof MoaError && error.code === 'INVALID_ARGUMENT') return undefined;
    throw error;
  }
}

/**
 * The tenth of the text in which the i-th sample's evidence should lie. Every ten samples have each tenth once. Any beginning of their
 * order is spread evenly, because a run with fewer samples is the beginning of a run with more.
 */
function decileOf({ task, targetTokens, seed, split = 'eval' }: GenerateOptions, index: number): number {
  return evenOrder(new Rng(`${split}/${task}/${targetTokens}/${seed}/deciles/${Math.floor(index / 10)}`))[index % 10] as number;
}

/** The reference model's conversation up to where its answer begins. */
export function referenceChat(user: string): string {
  return `<|bos|><|user|>\n${user}<|end|>\n<|assistant|>\n`;
}
