import { capitalized, distinct, placeName } from './atoms.ts';
import { assemble, type BuildContext, type Draft } from './draft.ts';
import { fill } from './fill.ts';

const HEAD = 'Please determine the type of the question below. Here are some examples of questions.\n\n';

type Template = (x: string, y: string) => string;

/** Question templates per type, after the six coarse classes of TREC. */
const TYPES: Readonly<Record<string, readonly Template[]>> = {
  'numeric value': [
    (x, y) => `How many ${x} are in a ${y}?`,
    (x, y) => `What number of ${x} does a ${y} hold?`,
    (x, y) => `How much does a ${y} of ${x} weigh?`,
  ],
  location: [
    (x, y) => `Where is the ${x} of ${y}?`,
    (x, y) => `What city has the ${x} ${y}?`,
    (x, y) => `In which place can one find ${x} and ${y}?`,
  ],
  'human being': [
    (x, y) => `Who invented the ${x} ${y}?`,
    (x, y) => `What person first saw the ${x} of ${y}?`,
    (x, y) => `Who wrote about ${x} and ${y}?`,
  ],
  description: [
    (x, y) => `Why do ${x} need a ${y}?`,
    (x, y) => `What does ${x} mean for the ${y}?`,
    (x, y) => `How does a ${y} become ${x}?`,
  ],
  abbreviation: [
    (x, y) => `What does the ${x} ${y} acronym stand for?`,
    (x, y) => `What is the abbreviation of ${x} ${y}?`,
    (x, y) => `How is ${x} ${y} shortened?`,
  ],
  entity: [
    (x, y) => `What ${x} is used to make a ${y}?`,
    (x, y) => `What kind of ${x} is a ${y}?`,
    (x, y) => `Which ${y} has the most ${x}?`,
  ],
};

/** Labelled questions and one without its label; half of the texts use invented label names, which only the examples teach. */
export function buildFewshot({ rng, prose, estimate, budget, tolerance }: BuildContext): Draft {
  const types = Object.keys(TYPES);
  const invented = rng.random() < 0.5;
  const labels = invented ? distinct(types.length, () => placeName(rng)) : types.map(capitalized);
  const draw = (among: readonly number[]): { question: string; type: number } => {
    const type = rng.pick(among);
    const template = rng.pick(TYPES[types[type] as string] as readonly Template[]);
    return { question: template(rng.pick(prose.words), rng.pick(prose.words)), type };
  };
  const all = types.map((_, index) => index);
  const example = (): { text: string; type: number } => {
    const { question, type } = draw(all);
    return { text: `Question: ${question}\nType: ${labels[type]}\n`, type };
  };
  const type = rng.pick(all);
  const tail = `Question: ${draw([type]).question}\nType:`;
  // The asked type must be shown at least once, so its example is made first and put at a random place later.
  const shown = { text: `Question: ${draw([type]).question}\nType: ${labels[type]}\n`, type };
  const room = budget - estimate.count(HEAD + shown.text + tail);
  const examples = fill({ budget: room, tolerance, next: example, any: example, cost: ({ text }) => estimate.count(text) });
  examples.splice(rng.int(0, examples.length), 0, shown);
  const { user } = assemble({ head: HEAD, pieces: examples.map(({ text }) => text), separator: '', tail });
  return { user, answers: [labels[type] as string], allClasses: labels };
}
