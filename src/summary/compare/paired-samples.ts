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

/** The scored samples of one task, length and method that both runs completed, paired by their content. */
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

/** The cells that both runs completed, with their samples paired. They are ordered by part, then by method, then as in HEAD. */
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

/** Cell id (part/task/length/method) -> the scored samples of the cell, for completed cells. */
function completedCells({ selection, completed }: Side): ReadonlyMap<string, readonly Scored[]> {
  const records: readonly Scored[] = [...selection.samples, ...selection.losses];
  const cells = groupBy(records, (record) => {
    const part = record.kind === 'loss' ? 'perplexity' : record.part;
    return `${part}/${record.task}/${record.length}/${record.method}`;
  });
  return new Map([...cells].filter(([id]) => completed.has(id)));
}

/** A cell's id without the method; null when the cell has another part or method. */
function conditionIn(id: string, part: Part, method: string): string | null {
  return id.startsWith(`${part}/`) && id.endsWith(`/${method}`) ? id.slice(0, -method.length - 1) : null;
}

function pairedCell(of: Pick<PairedCell, 'part' | 'method'>, own: readonly Scored[], others: readonly Scored[]): PairedCell {
  // Samples of version 1 have no content hash, so they cannot be paired.
  const known = new Map(others.flatMap((record) => (record.content === UNKNOWN_CONTENT ? [] : [[record.content, record] as const])));
  const pairs = own.flatMap((head) => {
    const base = known.get(head.content);
    return base === undefined ? [] : [{ base, head }];
  });
  const [{ task, length }] = own as readonly [Scored, ...Scored[]];
  return { ...of, task, length, pairs, onlyBase: others.length - pairs.length, onlyHead: own.length - pairs.length };
}

/**
 * Nats per token by which equal losses may differ, because other instructions sum in another order. This is a hundredth of a percent of perplexity, far below any
 * margin.
 */
const ROUNDING_NATS = 1e-4;

/** Whether both runs gave the same answer, word for word, or the same loss but for rounding. */
export function isIdentical({ base, head }: PairedCell['pairs'][number]): boolean {
  if (base.kind === 'sample' && head.kind === 'sample') return base.output === head.output && base.score === head.score;
  if (base.kind !== 'loss' || head.kind !== 'loss') return false;
  return Math.abs(base.sumLoss - head.sumLoss) <= ROUNDING_NATS * head.answerTokens;
}

/**
 * HEAD minus BASE over cells of one part, with the tests of docs/statistics.md. Samples are matched by content, and every cell has the same weight. null when no
 * sample is paired. `base`: BASE's id of the method.
 */
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

/**
 * The means of both runs over the same samples, as shares, scores 0..1, or nats per answer token. Every cell has the same weight. null when no sample is paired.
 */
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

/** The losses of one run. Each task and length is named as a task of its own, so that it is one stratum. */
function lossesOf(cells: readonly PairedCell[], side: 'base' | 'head') {
  return cells.flatMap(({ task, length, pairs }) =>
    pairs.flatMap(({ [side]: record }) =>
      record.kind === 'loss' ? [{ ...record, task: `${task}/${length}`, sampleId: record.content }] : [],
    ),
  );
}
