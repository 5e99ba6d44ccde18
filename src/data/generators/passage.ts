import { assemble, type BuildContext, type Draft } from './draft.ts';
import { tooShort } from './fill.ts';
import { shareProse } from './share.ts';

const HEAD =
  'Here are some paragraphs, along with a sentence taken from one of them. Please determine which paragraph the sentence is from.\n\n';
const MIN_PARAGRAPHS = 4;
const MAX_PARAGRAPHS = 30;
/** Least room of a paragraph: with less, it might hold no sentence. */
const MIN_PARAGRAPH_TOKENS = 60;

/** Numbered paragraphs and a sentence that stands in exactly one of them. */
export function buildPassage(context: BuildContext): Draft {
  const { rng, estimate, budget, depthDecile } = context;
  const most = Math.min(MAX_PARAGRAPHS, Math.floor(budget / MIN_PARAGRAPH_TOKENS) - 2);
  if (most < MIN_PARAGRAPHS) throw tooShort(budget);
  const count = rng.int(MIN_PARAGRAPHS, most);
  const asked = Math.min(count - 1, Math.floor(((depthDecile + rng.random()) / 10) * count));
  const queried = rng.pick(context.prose.sentences);
  const tail = `The following is a sentence.\n\n${queried}\n\nPlease enter the number of the paragraph that the sentence is from.\n\nThe answer is:`;
  const titles = Array.from({ length: count }, (_, index) => `Paragraph ${index + 1}: `);
  const fixed = estimate.count(HEAD + tail) + estimate.count(` ${queried}`) + estimate.count(titles.join('\n\n'));
  const prose = { ...context.prose, sentences: context.prose.sentences.filter((sentence) => sentence !== queried) };
  const paragraphs = shareProse({ ...context, prose }, { count, room: budget - fixed, minSentences: 1 });
  const paragraph = paragraphs[asked] as string[];
  const place = rng.int(0, paragraph.length);
  paragraph.splice(place, 0, queried);
  const pieces = paragraphs.map((sentences, index) => `${titles[index]}${sentences.join(' ')}\n\n`);
  const { user } = assemble({ head: HEAD, pieces, separator: '', tail });
  const before =
    pieces.slice(0, asked).join('').length +
    (titles[asked] as string).length +
    paragraph.slice(0, place).join(' ').length +
    (place > 0 ? 1 : 0);
  const start = HEAD.length + before;
  return {
    user,
    answers: [`Paragraph ${asked + 1}`],
    evidence: [start, start + queried.length],
    depth: before / (user.length - HEAD.length - tail.length),
  };
}
