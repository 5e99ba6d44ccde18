import { distinct } from './atoms.ts';
import { assemble, type BuildContext, type Draft, placeFacts } from './draft.ts';
import { fillProse } from './fill.ts';

const HEAD = 'Memorize and track the chain of variable assignment hidden in the following text.\n\n';
const LETTERS = [...'ABCDEFGHJKLMNPQRSTUVWXYZ'];
const MAX_CHAIN = 4;

/** RULER's variable tracking: chains of assignments hidden in order; the value of one variable is asked. The evidence is its chain's first assignment. */
export function buildVartrack(context: BuildContext): Draft {
  const { rng, estimate, budget } = context;
  const chains = drawChains(context);
  const facts = merged(
    context,
    chains.map((chain) => chain.steps),
  );
  const asked = rng.pick(chains);
  const tail = `\n\nQuestion: What is the value of VAR ${rng.pick(asked.variables)}?\nAnswer:`;
  const room = budget - estimate.count(HEAD + tail) - facts.reduce((total, fact) => total + estimate.count(` ${fact}`), 0);
  const { pieces, positions } = placeFacts({ sentences: fillProse({ ...context, budget: room }), facts, rng });
  const evidence = positions[facts.indexOf(asked.steps[0] as string)];
  return { ...assemble({ head: HEAD, pieces, separator: ' ', tail, evidence }), answers: [asked.value] };
}

interface Chain {
  readonly variables: readonly string[];
  readonly value: string;
  readonly steps: readonly string[];
}

function drawChains({ rng }: BuildContext): Chain[] {
  const count = rng.int(1, 4);
  const names = distinct(MAX_CHAIN * count, () => Array.from({ length: 5 }, () => rng.pick(LETTERS)).join(''));
  return Array.from({ length: count }, (_, chain) => {
    const value = String(rng.int(10_000, 99_999));
    const variables = names.slice(MAX_CHAIN * chain, MAX_CHAIN * chain + rng.int(2, MAX_CHAIN));
    const steps = variables.map((name, index) => `VAR ${name} = ${index === 0 ? value : `VAR ${variables[index - 1]}`}.`);
    return { variables, value, steps };
  });
}

/** A random interleaving that keeps each chain's order. */
function merged({ rng }: BuildContext, chains: readonly (readonly string[])[]): string[] {
  const rest = chains.map((steps) => [...steps]);
  const out: string[] = [];
  for (let open = rest; open.length > 0; open = open.filter((steps) => steps.length > 0)) out.push(rng.pick(open).shift() as string);
  return out;
}
