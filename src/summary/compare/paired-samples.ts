import { groupBy } from '../../core/group-by.ts';
import { type Pair, pairedBinary, pairedGraded, pairUp } from '../../evaluate/paired.ts';
import { lossDifference } from '../../evaluate/perplexity.ts';
import { UNKNOWN_CONTENT } from '../../records/fields.ts';
import type { RecordOf } from '../../records/record.ts';
import { toPaired } from '../paired.ts';
import { isCorrect } from '../retrieval.ts';
import type { Paired } from '../summary.ts';
import type { Part } from './comparison.ts';
import type { MethodPair, Side, Sides } from './sides.ts';

type Scored = RecordOf<'sample' | 'loss'>;

/** The scored samples of a task, length and method that completed in both runs, paired by what they are. */
export interface PairedCell {
  readonly method: MethodPair;
  readonly part: Part;
  readonly task: string;
  readonly length: number;
  /** In the order of HEAD. */
  readonly pairs: readonly { readonly base: Scored; readonly head: Scored }[];
  readonly onlyBase: number;
  readonly onlyHead: number;
}

const PARTS: readonly Part[] = ['retrieval', 'longbench', 'perplexity'];

/** The cells that both runs completed: part after part, method after method, in HEAD's order. */
export function pairSamples(methods: readonly MethodPair[], { base, head }: Sides): PairedCell[] {
  const [own, others] = [completedCells(head), completedCells(base)];
  return PARTS.flatMap((part) =>
    methods.flatMap((method) =>
      [...own].flatMap(([id, samples]) => {
        const condition = conditionIn(id, part, method.head);
        const theirs = condition === null ? undefined : others.get(`${condition}/${method.base}`);
        return theirs === undefined ? [] : [pairedCell({ part, method }, samples, theirs)];
      }),
    ),
  );
}

/** Scored samples by the id of their cell: part, task, length, method. */
function completedCells({ selection, completed }: Side): ReadonlyMap<string, readonly Scored[]> {
  const records: readonly Scored[] = [...selection.samples, ...selection.losses];
  const cells = groupBy(records, (record) => {
    const part = record.kind === 'loss' ? 'perplexity' : record.part;
    return `${part}/${record.task}/${record.length}/${record.method}`;
  });
  return new Map([...cells].filter(([id]) => completed.has(id)));
}

/** A cell's id without the method; null where it is of another part or method. */
function conditionIn(id: string, part: Part, method: string): string | null {
  return id.startsWith(`${part}/`) && id.endsWith(`/${method}`) ? id.slice(0, -method.length - 1) : null;
}

function pairedCell(of: Pick<PairedCell, 'part' | 'method'>, own: readonly Scored[], others: readonly Scored[]): PairedCell {
  // What version 1 recorded has no content that could be told apart.
  const known = new Map(others.flatMap((record) => (record.content === UNKNOWN_CONTENT ? [] : [[record.content, record] as const])));
  const pairs = own.flatMap((head) => {
    const base = known.get(head.content);
    return base === undefined ? [] : [{ base, head }];
  });
  const [{ task, length }] = own as readonly [Scored, ...Scored[]];
  return { ...of, task, length, pairs, onlyBase: others.length - pairs.length, onlyHead: own.length - pairs.length };
}

/** Nats a token by which the same loss may differ: sums of other instructions have another order. A hundredth of a percent of perplexity, far below any margin. */
const ROUNDING_NATS = 1e-4;

/** Whether both gave the same answer, word for word, or the same loss but for rounding. */
export function isIdentical({ base, head }: PairedCell['pairs'][number]): boolean {
  if (base.kind === 'sample' && head.kind === 'sample') return base.output === head.output && base.score === head.score;
  if (base.kind !== 'loss' || head.kind !== 'loss') return false;
  return Math.abs(base.sumLoss - head.sumLoss) <= ROUNDING_NATS * head.answerTokens;
}

/** HEAD minus BASE over cells of one part, each weighing the same: the tests of docs/statistics.md, samples matched by content. null without a pair. */
export function differenceOf(part: Part, cells: readonly PairedCell[], base: string): Paired | null {
  const filled = cells.filter(({ pairs }) => pairs.length > 0);
  if (part === 'perplexity') return toPaired(base, lossDifference(lossesOf(filled, 'head'), lossesOf(filled, 'base')));
  const strata = filled.map(({ pairs }): Pair[] =>
    pairUp(
      pairs.map(({ head }) => scoreOf(head)),
      pairs.map(({ base: other }) => scoreOf(other)),
    ),
  );
  return toPaired(base, part === 'retrieval' ? pairedBinary(strata) : pairedGraded(strata));
}

/** Means of both over the same samples, every cell weighing the same; of losses in nats per token. null without a pair. */
export function meansOf(part: Part, cells: readonly PairedCell[]): { readonly base: number; readonly head: number } | null {
  const filled = cells.filter(({ pairs }) => pairs.length > 0);
  if (filled.length === 0) return null;
  const meanOf = (side: 'base' | 'head'): number => filled.reduce((sum, cell) => sum + cellMean(part, cell, side), 0) / filled.length;
  return { base: meanOf('base'), head: meanOf('head') };
}

function cellMean(part: Part, { pairs }: PairedCell, side: 'base' | 'head'): number {
  const total = (value: (record: Scored) => number): number => pairs.reduce((sum, pair) => sum + value(pair[side]), 0);
  if (part === 'perplexity') return total(lossOf) / total((record) => (record.kind === 'loss' ? record.answerTokens : 0));
  return total((record) => scoreOf(record).score) / pairs.length;
}

function lossOf(record: Scored): number {
  return record.kind === 'loss' ? record.sumLoss : 0;
}

function scoreOf(record: Scored) {
  const { content, cluster } = record;
  const score = record.kind === 'loss' ? 0 : record.part === 'retrieval' ? (isCorrect(record) ? 1 : 0) : record.score;
  return { sampleId: content, cluster, score };
}

/** One task and length is one stratum. */
function lossesOf(cells: readonly PairedCell[], side: 'base' | 'head') {
  return cells.flatMap(({ task, length, pairs }) =>
    pairs.flatMap(({ [side]: record }) =>
      record.kind === 'loss' ? [{ ...record, task: `${task}/${length}`, sampleId: record.content }] : [],
    ),
  );
}
