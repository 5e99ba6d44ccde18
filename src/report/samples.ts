import { groupBy } from '../core/group-by.ts';
import type { RecordOf } from '../records/record.ts';
import { isCorrect } from '../summary/retrieval.ts';
import type { Selection } from '../summary/selection.ts';
import type { Summary } from '../summary/summary.ts';
import { methodStyles } from './chart.ts';

type Sample = RecordOf<'sample'>;

/**
 * How many characters of JSON the answers in a page may take. This is more than a person looks through, and little enough for the page to open at once.
 */
const MOST_CHARACTERS = 4 * 2 ** 20;
/** How many characters of one text are kept. The longest answer of LongBench's tasks, 512 tokens, fits. */
const TEXT_CHARACTERS = 2500;
/** The golden ratio modulo 1. Its multiples modulo 1 are spread evenly, however many are taken. */
const GOLDEN = 0.6180339887498949;

/** Whether a method scored lower (`lost`) or higher (`gained`) on a question than the baseline. */
type Change = 'lost' | 'gained';

interface BrowsedAnswer {
  /** Index in `methods`. */
  readonly method: number;
  readonly output: string;
  readonly score: number;
  /** null: the answer is scored by degrees, not as right or wrong. */
  readonly right: boolean | null;
  readonly change?: Change;
  /** The limit on new tokens stopped the answer. */
  readonly stopped?: true;
}

/** A question with the answers of all methods to it. */
interface BrowsedQuestion {
  readonly id: string;
  readonly task: string;
  readonly length: number;
  readonly depth: number | null;
  readonly promptTokens: number;
  /** The end of the prompt, which is all that records keep of it. */
  readonly prompt: string;
  readonly expected: string;
  readonly answers: readonly BrowsedAnswer[];
}

interface ChangeCount {
  readonly method: string;
  /** Questions that the baseline answered too. */
  readonly questions: number;
  readonly lost: number;
  readonly gained: number;
}

/** What the sample browser shows. */
export interface SampleBrowser {
  readonly methods: readonly { readonly label: string; readonly index: number }[];
  readonly baseline: string;
  readonly questions: readonly BrowsedQuestion[];
  /** Number of all questions, including those that `questions` leaves out. */
  readonly total: number;
  /** One entry for each method except the baseline, counted over all questions. */
  readonly changes: readonly ChangeCount[];
}

/**
 * Every question with every method's answer, and how many answers each method lost and gained against the baseline. When all questions take more than
 * `mostCharacters` characters of JSON, some are left out. Questions on which a method differs from the baseline are kept first, then others, both spread evenly
 * over the run. `total` says how many questions there are. null without samples.
 */
export function sampleBrowser(summary: Summary, selection: Selection, mostCharacters = MOST_CHARACTERS): SampleBrowser | null {
  const styles = methodStyles(summary);
  const places = new Map(styles.map(({ id }, place) => [id, place]));
  const groups = [...groupBy(selection.samples, ({ part, task, length, sampleId }) => `${part}/${task}/${length}/${sampleId}`).values()];
  const questions = groups.flatMap((answers) => questionOf(answers, places, summary.baseline) ?? []);
  if (questions.length === 0) return null;
  return {
    methods: styles.map(({ label, index }) => ({ label, index })),
    baseline: styles.find(({ id }) => id === summary.baseline)?.label ?? summary.baseline,
    questions: fitting(questions, mostCharacters),
    total: questions.length,
    changes: styles.flatMap(({ id, label }, place) =>
      id === summary.baseline ? [] : [countOf(questions, { label, place, baseline: places.get(summary.baseline) })],
    ),
  };
}

function questionOf(samples: readonly Sample[], places: ReadonlyMap<string, number>, baseline: string): BrowsedQuestion | null {
  const known = samples.filter(({ method }) => places.has(method));
  const [first] = known;
  if (first === undefined) return null;
  const reference = known.find(({ method }) => method === baseline);
  return {
    id: first.sampleId,
    task: first.task,
    length: first.length,
    depth: first.depth,
    promptTokens: first.promptTokens,
    prompt: first.promptTail,
    expected: cut(first.expected.join(' | ')),
    answers: known.map((sample) => answerOf(sample, places.get(sample.method) ?? 0, reference)).sort((a, b) => a.method - b.method),
  };
}

function answerOf(sample: Sample, method: number, reference: Sample | undefined): BrowsedAnswer {
  const own = pointsOf(sample);
  const other = reference === undefined ? own : pointsOf(reference);
  return {
    method,
    output: cut(sample.output),
    score: Number(sample.score.toPrecision(4)),
    right: sample.correct,
    ...(own === other ? {} : { change: own < other ? ('lost' as const) : ('gained' as const) }),
    ...(sample.finish === 'length' ? { stopped: true as const } : {}),
  };
}

/** The score as comparisons of methods use it (summary/retrieval, summary/scores): 0 or 1 for retrieval, and by degrees for tasks. */
function pointsOf(sample: Sample): number {
  return sample.part === 'retrieval' ? Number(isCorrect(sample)) : sample.score;
}

interface CountInput {
  readonly label: string;
  readonly place: number;
  readonly baseline: number | undefined;
}

function countOf(questions: readonly BrowsedQuestion[], { label, place, baseline }: CountInput): ChangeCount {
  const answered = questions.flatMap(({ answers }) => {
    const own = answers.find(({ method }) => method === place);
    return own === undefined || !answers.some(({ method }) => method === baseline) ? [] : [own];
  });
  const count = (change: Change): number => answered.filter((answer) => answer.change === change).length;
  return { method: label, questions: answered.length, lost: count('lost'), gained: count('gained') };
}

/** As many questions as fit, in their original order. */
function fitting(questions: readonly BrowsedQuestion[], mostCharacters: number): readonly BrowsedQuestion[] {
  const sizes = questions.map((question) => JSON.stringify(question).length + 1);
  if (sizes.reduce((a, b) => a + b, 0) <= mostCharacters) return questions;
  const differs = ({ answers }: BrowsedQuestion): boolean => answers.some(({ change }) => change !== undefined);
  const order = questions
    .map((question, i) => ({ i, rank: (differs(question) ? 0 : 1) + ((i * GOLDEN) % 1) }))
    .sort((a, b) => a.rank - b.rank);
  const kept = new Set<number>();
  let left = mostCharacters;
  for (const { i } of order) {
    left -= sizes[i] ?? 0;
    if (left < 0) break;
    kept.add(i);
  }
  return questions.filter((_, i) => kept.has(i));
}

function cut(text: string): string {
  return text.length <= TEXT_CHARACTERS ? text : `${text.slice(0, TEXT_CHARACTERS)}\u2026`;
}
