import { distinct, personName } from './atoms.ts';
import { assemble, type BuildContext, type Draft, placeFacts } from './draft.ts';
import { drawFact } from './relations.ts';
import { shareProse } from './share.ts';

const HEAD =
  'Answer the question based on the given passages. Only give me the answer and do not output any other words.\n\nThe following are given passages.\n';
const TIES = ['mentor', 'neighbour', 'cousin', 'tutor', 'partner', 'rival'];
const MIN_CHAINS = 3;
const MAX_CHAINS = 8;

interface Chain {
  /** "The mentor of X is Y." and a fact about Y. */
  readonly facts: readonly [string, string];
  readonly question: string;
  readonly value: string;
}

/** Passages with one fact each; the question needs two of the facts. The evidence is the second hop, the fact with the answer. */
export function buildMultiQa(context: BuildContext): Draft {
  const { rng, estimate, budget } = context;
  const chains = drawChains(context);
  const facts = rng.shuffle(chains.flatMap((chain) => chain.facts));
  const asked = rng.pick(chains);
  const tail = `\n\nQuestion: ${asked.question}\nAnswer:`;
  const titles = facts.map((_, index) => `Passage ${index + 1}:\n`);
  const fixed = facts.reduce((total, fact, index) => total + estimate.count(`${titles[index]}${fact}\n`), estimate.count(HEAD + tail));
  const fillers = shareProse(context, { count: facts.length, room: budget - fixed, minSentences: 0 });
  const pieces = facts.map(
    (fact, index) => titles[index] + placeFacts({ sentences: fillers[index] ?? [], facts: [fact], rng }).pieces.join(' '),
  );
  const { user } = assemble({ head: HEAD, pieces, separator: '\n', tail });
  const start = user.indexOf(asked.facts[1]);
  const depth = (start - HEAD.length) / (user.length - HEAD.length - tail.length);
  return { user, answers: [asked.value], evidence: [start, start + asked.facts[1].length], depth };
}

/** Three to eight two-hop chains, fewer where they would take more than half of a short text. */
function drawChains(context: BuildContext): Chain[] {
  const { rng, estimate, budget } = context;
  const count = rng.int(MIN_CHAINS, MAX_CHAINS);
  const names = distinct(2 * count, () => personName(context));
  const chains = Array.from({ length: count }, (_, index): Chain => {
    const [first, second] = [names[index] as string, names[count + index] as string];
    const tie = rng.pick(TIES);
    const { fact, question, value } = drawFact(rng, second, `the ${tie} of ${first}`);
    return { facts: [`The ${tie} of ${first} is ${second}.`, fact], question, value };
  });
  const cost = (chain: Chain): number => chain.facts.reduce((total, fact) => total + estimate.count(`Passage 10:\n${fact}\n`), 0);
  while (chains.length > MIN_CHAINS && chains.reduce((total, chain) => total + cost(chain), 0) > budget / 2) chains.pop();
  return chains;
}
