import { invalidArgument, MoaError } from '../core/errors.ts';
import { Rng } from '../core/rng.ts';
import type { BuildContext, Builder, Draft } from './generators/draft.ts';
import { TokenEstimate } from './generators/estimate.ts';
import { loadProse } from './prose.ts';
import type { Sample, Split, TokenCounter } from './sample.ts';
import { TASKS, type Task, type TaskName } from './tasks.ts';

export interface GenerateOptions {
  readonly task: TaskName;
  readonly targetTokens: number;
  readonly count: number;
  readonly seed: string | number;
  readonly tokenizer: TokenCounter;
  /** `eval` by default. The two splits share neither seeds nor prose. */
  readonly split?: Split;
  /** Puts the user's text into the model's conversation format; the reference model's by default. Must contain the text unchanged. */
  readonly wrapUser?: (user: string) => string;
}

/** Share of the target that a prompt may fall short by. It never exceeds the target. */
const SHORTFALL = 0.02;
/** Kept free for tokens that the sum over pieces may miss where pieces meet. */
const SEAM_TOKENS = 2;
const ATTEMPTS = 12;

/**
 * Samples of one task at one length, one after the other: prompts have 98% to 100% of `targetTokens` by `tokenizer`. Equal options give equal
 * samples on every machine; a longer run begins with the shorter one. Depth deciles are balanced over every ten samples. Throws INVALID_ARGUMENT for a
 * target that is too short for the task.
 */
export function* generateSamples(options: GenerateOptions): Generator<Sample> {
  const { targetTokens, count, tokenizer } = options;
  if (!(Number.isInteger(targetTokens) && targetTokens > 0)) throw invalidArgument('a positive integer', 'targetTokens', targetTokens);
  if (!(Number.isInteger(count) && count >= 0)) throw invalidArgument('a count', 'count', count);
  const estimate = estimateOf(tokenizer);
  for (let index = 0; index < count; index++) yield generateSample(options, estimate, index);
}

/** One memory of counts per tokenizer: words repeat over tasks and lengths. */
const estimates = new WeakMap<TokenCounter, TokenEstimate>();

function estimateOf(tokenizer: TokenCounter): TokenEstimate {
  const known = estimates.get(tokenizer) ?? new TokenEstimate(tokenizer);
  estimates.set(tokenizer, known);
  return known;
}

function generateSample(options: GenerateOptions, estimate: TokenEstimate, index: number): Sample {
  const { seed, targetTokens, split = 'eval' } = options;
  const task: Task = TASKS[options.task];
  const id = `${split}/${task.name}/${targetTokens}/${seed}/${index}`;
  const { draft, prompt, promptTokens } = fitted(options, estimate, { id, depthDecile: decileOf(options, index) });
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

/** Builds to an estimated length, counts the prompt, and builds again with the budget corrected by the difference where that misses. */
function fitted(options: GenerateOptions, estimate: TokenEstimate, { id, depthDecile }: { id: string; depthDecile: number }): Fitted {
  const { task, targetTokens, tokenizer, split = 'eval', wrapUser = referenceChat } = options;
  const least = Math.ceil(targetTokens * (1 - SHORTFALL));
  const slack = targetTokens - least;
  // Half of the slack for the filler's last unit, the rest for the error of the estimate.
  const tolerance = Math.max(1, Math.floor(slack / 2));
  let budget = targetTokens - SEAM_TOKENS - tokenizer.encode(wrapUser('')).length;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const rng = new Rng(`${id}/${attempt}`);
    const draft = buildOrNothing(TASKS[task].build, { rng, prose: loadProse(split), estimate, split, depthDecile, budget, tolerance });
    if (draft === undefined) continue;
    const prompt = wrapUser(draft.user);
    const promptTokens = estimate.countPrompt({ kind: task, prompt, user: draft.user });
    if (promptTokens >= least && promptTokens <= targetTokens) return { draft, prompt, promptTokens };
    budget += Math.round(targetTokens - slack / 4 - promptTokens) || -1;
  }
  throw new MoaError(
    `Expected a longer targetTokens for task ${task} but received ${targetTokens}: no prompt of ${least} tokens or more fits`,
    {
      code: 'INVALID_ARGUMENT',
      hint: '512 tokens are enough for every task with the reference tokenizer.',
    },
  );
}

/** A draft, or nothing where this draw's facts leave too little room: another draw may have fewer. */
function buildOrNothing(build: Builder, context: BuildContext): Draft | undefined {
  try {
    return build(context);
  } catch (error) {
    if (error instanceof MoaError && error.code === 'INVALID_ARGUMENT') return undefined;
    throw error;
  }
}

/** The i-th sample's tenth: every block of ten samples has each decile once, in an order of its own. */
function decileOf({ task, targetTokens, seed, split = 'eval' }: GenerateOptions, index: number): number {
  const order = new Rng(`${split}/${task}/${targetTokens}/${seed}/deciles/${Math.floor(index / 10)}`).shuffle([
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9,
  ]);
  return order[index % 10] as number;
}

/** The reference model's conversation up to where its answer begins. */
export function referenceChat(user: string): string {
  return `<|bos|><|user|>\n${user}<|end|>\n<|assistant|>\n`;
}
