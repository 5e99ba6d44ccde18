import { assemble, type BuildContext, type Draft, placeFacts } from './draft.ts';
import { fillProse } from './fill.ts';

const HEAD = 'You are given a report. Write a one-page summary of the report that lists its key points in order.\n\nReport:\n';
const TAIL = '\n\nNow, write the summary of the report.\n\nSummary:';
const MAX_POINTS = 4;
const MAX_POINT_CHARACTERS = 140;

/**
 * A report whose marked key points, in order, are the summary. Calibration texts have all four, so that their answers depend on the whole
 * text.
 */
export function buildSummary(context: BuildContext): Draft {
  const { rng, prose, estimate, budget, split } = context;
  const points = Array.from({ length: split === 'calibration' ? MAX_POINTS : rng.int(1, MAX_POINTS) }, () => {
    let sentence = rng.pick(prose.sentences);
    while (sentence.length > MAX_POINT_CHARACTERS) sentence = rng.pick(prose.sentences);
    return sentence;
  });
  const facts = points.map((point) => `KEY POINT: ${point}`);
  const room = budget - estimate.count(HEAD + TAIL) - facts.reduce((total, fact) => total + estimate.count(` ${fact}`), 0);
  const { pieces, positions } = placeFacts({ sentences: fillProse({ ...context, budget: room }), facts, rng });
  return { ...assemble({ head: HEAD, pieces, separator: ' ', tail: TAIL, evidence: positions[0] }), answers: [points.join(' ')] };
}
