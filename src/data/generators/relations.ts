import type { Rng } from '../../core/rng.ts';
import { placeName } from './atoms.ts';

/** A kind of fact about a person. Without `values`, the value is an invented place. */
interface Relation {
  readonly state: (name: string, value: string) => string;
  readonly ask: (name: string) => string;
  readonly values?: readonly string[];
}

const RELATIONS: readonly Relation[] = [
  {
    state: (name, value) => `${name} works as a ${value}.`,
    ask: (name) => `What does ${name} work as?`,
    values: words(
      'glassblower cartographer beekeeper clockmaker translator surveyor botanist ferryman printer locksmith violinist archivist welder midwife falconer tailor',
    ),
  },
  { state: (name, value) => `${name} lives in ${value}.`, ask: (name) => `Where does ${name} live?` },
  { state: (name, value) => `${name} was born in ${value}.`, ask: (name) => `Where was ${name} born?` },
  {
    state: (name, value) => `${name} owns a ${value}.`,
    ask: (name) => `What does ${name} own?`,
    values: [
      ...['red lighthouse', 'silver telescope', 'printing press', 'small vineyard', 'brass compass', 'stone windmill'],
      ...['glass piano', 'blue sailboat', 'copper mine', 'paper mill', 'wooden bridge', 'black horse'],
    ],
  },
  {
    state: (name, value) => `${name} studied ${value}.`,
    ask: (name) => `What did ${name} study?`,
    values: [
      ...words('astronomy hydraulics poetry metallurgy logic navigation chemistry economics architecture botany'),
      'medieval law',
      'music theory',
    ],
  },
];

/** A fact about `subject`, a question that may name the person in another way, and the value that answers it. */
export function drawFact(rng: Rng, subject: string, asked = subject): { fact: string; question: string; value: string } {
  const relation = rng.pick(RELATIONS);
  const value = relation.values === undefined ? placeName(rng) : rng.pick(relation.values);
  return { fact: relation.state(subject, value), question: relation.ask(asked), value };
}

function words(list: string): string[] {
  return list.split(' ');
}
