import { distinct, wordKey } from './atoms.ts';
import { assemble, type BuildContext, type Draft, placeFacts } from './draft.ts';
import { fillProse } from './fill.ts';

const HEAD =
  'Some special magic numbers are hidden within the following text. Make sure to memorize them. I will quiz you about the numbers afterwards.\n';
/** How many needles a text hides: mostly one. */
const COUNTS = [1, 1, 1, 2, 4, 8];

/** RULER's needle in a haystack with word keys and seven-digit numbers; the needles that are not asked about are distractors. */
export function buildNeedle(context: BuildContext): Draft {
  const { rng, estimate, budget, depthDecile } = context;
  const keys = distinct(rng.pick(COUNTS), () => wordKey(context));
  const values = keys.map(() => String(rng.int(1_000_000, 9_999_999)));
  const facts = keys.map((key, index) => `One of the special magic numbers for ${key} is: ${values[index]}.`);
  const queried = rng.int(0, keys.length - 1);
  const tail = `\nWhat is the special magic number for ${keys[queried]} mentioned in the provided text?\n`;
  const room = budget - estimate.count(HEAD + tail) - facts.reduce((total, fact) => total + estimate.count(` ${fact}`), 0);
  const sentences = fillProse({ ...context, budget: room });
  const { pieces, positions } = placeFacts({ sentences, facts, queried: { index: queried, decile: depthDecile }, rng });
  const completion = `The special magic number for ${keys[queried]} mentioned in the provided text is ${values[queried]}.`;
  return {
    ...assemble({ head: HEAD, pieces, separator: ' ', tail, evidence: positions[queried] }),
    answers: [values[queried] as string],
    completion,
  };
}
