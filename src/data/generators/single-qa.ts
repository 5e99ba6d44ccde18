import { distinct, personName } from './atoms.ts';
import { assemble, type BuildContext, type Draft, placeFacts } from './draft.ts';
import { fillProse } from './fill.ts';
import { drawFact } from './relations.ts';

const HEAD = 'You are given a document. Answer the question based only on the document, and do not output any other words.\n\nDocument: ';

/** One document with facts about two or three people, one of them asked about. */
export function buildSingleQa(context: BuildContext): Draft {
  const { rng, estimate, budget, depthDecile } = context;
  const names = distinct(rng.int(2, 3), () => personName(context));
  const facts = names.map((name) => drawFact(rng, name));
  const queried = rng.int(0, facts.length - 1);
  const asked = facts[queried] as (typeof facts)[number];
  const tail = `\n\nQuestion: ${asked.question}\nAnswer:`;
  const texts = facts.map(({ fact }) => fact);
  const room = budget - estimate.count(HEAD + tail) - texts.reduce((total, fact) => total + estimate.count(` ${fact}`), 0);
  const sentences = fillProse({ ...context, budget: room });
  const { pieces, positions } = placeFacts({ sentences, facts: texts, queried: { index: queried, decile: depthDecile }, rng });
  return { ...assemble({ head: HEAD, pieces, separator: ' ', tail, evidence: positions[queried] }), answers: [asked.value] };
}
