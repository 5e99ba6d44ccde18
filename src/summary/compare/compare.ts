import { numbered } from '../phrases.ts';
import { COMPARISON_VERSION, type Comparison } from './comparison.ts';
import { compareEndings } from './endings.ts';
import { listFlips } from './flips.ts';
import { compareMemory } from './memory.ts';
import { notesOf } from './notes.ts';
import { pairSamples } from './paired-samples.ts';
import { compareQuality, judgeQuality } from './quality.ts';
import { DEFAULT_RULES, levelOf, type Rules, type Verdict, wholeVerdict } from './rules.ts';
import { type MethodPair, pairMethods, type SideInput, type Sides, sideOf } from './sides.ts';
import { compareTimings, judgeTiming } from './timings.ts';

export interface CompareInput {
  readonly base: SideInput;
  readonly head: SideInput;
  readonly rules?: Rules;
  /** BASE's id of a method -> HEAD's, where they differ. */
  readonly renamed?: ReadonlyMap<string, string>;
}

type Found = Omit<Comparison, 'verdict' | 'sentence'>;

/** Replaces what was found when the two runs had different models, which cannot be compared. */
const NOTHING = {
  quality: [],
  tasks: [],
  timings: [],
  memory: [],
  endings: [],
  families: [],
  flips: { lost: [], gained: [], left: 0 },
  onlyBase: [],
  onlyHead: [],
  notes: [],
} satisfies Partial<Comparison>;

/**
 * The comparison of HEAD with BASE: what HEAD does better, as well, or worse. Cells are paired by what they measure and samples by their content. Every row has
 * a verdict. Equal records give equal comparisons.
 * @throws MoaError INVALID_ARGUMENT when a renamed method does not exist, or when two methods are renamed to the same one.
 */
export function compareRuns({ base, head, rules = DEFAULT_RULES, renamed = new Map() }: CompareInput): Comparison {
  const sides = { base: sideOf(base), head: sideOf(head) };
  const methods = pairMethods(base.suite, head.suite, renamed);
  const problem = modelProblem(sides);
  const found = compared(methods, sides, rules);
  if (problem !== null) return { ...found, ...NOTHING, verdict: 'not-comparable', sentence: problem };
  // A single task decides only when it collapses. All other rows decide.
  const deciding = [
    ...found.quality,
    ...found.tasks.filter(({ verdict }) => verdict === 'worse'),
    ...found.timings,
    ...found.memory,
    ...found.endings,
  ];
  const verdicts = deciding.map(({ verdict }) => verdict);
  const verdict = wholeVerdict(verdicts);
  return { ...found, verdict, sentence: sentenceOf(verdict, verdicts, found.notes[0]) };
}

function compared(methods: readonly MethodPair[], sides: Sides, rules: Rules): Found {
  const cells = pairSamples(methods, sides);
  const { quality, tasks, families: ofQuality } = compareQuality(cells);
  const { timings, families: ofTimings } = compareTimings(methods, sides);
  const families = [...ofQuality, ...ofTimings];
  const level = levelOf(families.length);
  const rows = {
    quality: quality.map((row) => judgeQuality(row, rules, level)),
    tasks: tasks.map((row) => judgeQuality(row, rules, level)),
    timings: timings.map((row) => judgeTiming(row, rules, level)),
    memory: compareMemory(methods, sides, cells),
    ...compareEndings(methods, sides),
  };
  return {
    format: 'moabench-comparison',
    version: COMPARISON_VERSION,
    rules,
    level,
    base: sides.base.facts,
    head: sides.head.facts,
    methods: [...methods],
    ...rows,
    families,
    flips: listFlips(cells),
    notes: notesOf(methods, sides, rows),
  };
}

/** Why the two runs cannot be compared: they ran different models, so their scores, times and bytes say nothing about the code. null: the same model. */
function modelProblem({ base, head }: Sides): string | null {
  const [a, b] = [base.run.model, head.run.model];
  if (a.weightsHash === b.weightsHash) return null;
  const names = a.name === b.name ? 'the weights differ' : `BASE ran ${a.name} and HEAD ${b.name}`;
  return `Not comparable: another model, ${names}.`;
}

function sentenceOf(verdict: Verdict, verdicts: readonly Verdict[], note: string | undefined): string {
  const count = (of: Verdict): number => verdicts.filter((one) => one === of).length;
  const judged = verdicts.length - count('not-comparable');
  const all = numbered(judged, 'comparison');
  const others = count('not-comparable') === 0 ? '' : ` ${numbered(count('not-comparable'), 'more is', 'more are')} shown and not judged.`;
  switch (verdict) {
    case 'worse':
      return `Regression: HEAD is worse than BASE in ${count('worse')} of ${all}.${others}`;
    case 'undecided':
      return `Undecided: no regression is established, but ${count('undecided')} of ${all} cannot be decided.${others}`;
    case 'better':
      return `Better: HEAD is better than BASE in ${count('better')} of ${all}, and as good in the others.${others}`;
    case 'same':
      return `No regression: HEAD is as good as BASE in ${judged === 1 ? 'the only comparison' : `all ${all}`}.${others}`;
    case 'not-comparable':
      return `Not comparable: ${verdicts.length === 0 ? 'the two runs have no cell in common.' : `nothing can be judged. ${note ?? ''}`.trim()}`;
  }
}
