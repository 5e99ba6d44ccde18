import { holm } from '../../core/statistics/holm.ts';
import type { Paired } from '../summary.ts';
import type { Comparison, Part, QualityRow } from './comparison.ts';
import { differenceOf, isIdentical, meansOf, type PairedCell, pairedCells } from './paired-samples.ts';
import { COLLAPSE_MARGINS, type Rules, type Verdict } from './rules.ts';
import type { MethodPair, Side } from './sides.ts';

const PARTS: readonly Part[] = ['retrieval', 'longbench', 'perplexity'];

/** Quality before its verdicts: each method over all that both runs have, and each of its tasks and lengths. */
export interface QualityRows {
  readonly quality: readonly QualityRow[];
  readonly tasks: readonly QualityRow[];
  readonly families: Comparison['families'];
}

/** Scores of both runs on the same samples, adjusted within two families: methods over all, and single tasks. */
export function compareQuality(methods: readonly MethodPair[], sides: { readonly base: Side; readonly head: Side }): QualityRows {
  const groups = methods.flatMap((method) =>
    PARTS.flatMap((part) => {
      const cells = pairedCells(part, method, sides);
      return cells.length === 0 ? [] : [{ method, part, cells }];
    }),
  );
  const quality = adjusted(groups.map(({ method, part, cells }) => rowOf(part, method, cells)));
  const tasks = adjusted(
    groups.flatMap(({ method, part, cells }) => (cells.length === 1 ? [] : cells.map((cell) => rowOf(part, method, [cell], cell)))),
  );
  return {
    quality,
    tasks,
    families: [
      family('quality of each method over all tasks and lengths', quality),
      family('quality at each task and length', tasks),
    ].flat(),
  };
}

function family(name: string, rows: readonly QualityRow[]): Comparison['families'] {
  const comparisons = rows.filter(({ paired }) => paired?.pHolm != null).length;
  return comparisons === 0 ? [] : [{ name, comparisons }];
}

function rowOf(part: Part, method: MethodPair, cells: readonly PairedCell[], only?: PairedCell): QualityRow {
  const means = meansOf(part, cells);
  const total = (count: (cell: PairedCell) => number): number => cells.reduce((sum, cell) => sum + count(cell), 0);
  return {
    method: method.head,
    verdict: 'undecided',
    reason: '',
    part,
    task: only?.task ?? null,
    length: only?.length ?? null,
    base: means?.base ?? null,
    head: means?.head ?? null,
    paired: differenceOf(part, cells, method.base),
    samples: total(({ pairs }) => pairs.length),
    identical: total(({ pairs }) => pairs.filter(isIdentical).length),
    onlyBase: total(({ onlyBase }) => onlyBase),
    onlyHead: total(({ onlyHead }) => onlyHead),
  };
}

function adjusted(rows: readonly QualityRow[]): QualityRow[] {
  const tested = rows.flatMap(({ paired }) => (paired && paired.p !== null ? [{ paired, p: paired.p }] : []));
  const pHolm = holm(tested.map(({ p }) => p));
  const now = new Map<Paired, Paired>(
    tested.map(({ paired }, i) => [paired, { ...paired, pHolm: pHolm[i] ?? null, comparisons: tested.length }]),
  );
  return rows.map((row) => ({ ...row, paired: row.paired && (now.get(row.paired) ?? row.paired) }));
}

/** The difference so that more is better, with the margin in its unit: a share, or nats for a share of perplexity. */
function gainOf({ part, paired }: QualityRow, { margin }: Rules) {
  const delta = paired?.delta ?? { estimate: Number.NaN, low: null, high: null };
  if (part !== 'perplexity') return { ...delta, allowed: margin, collapse: COLLAPSE_MARGINS * margin };
  const low = delta.high === null ? null : -delta.high;
  return { estimate: -delta.estimate, low, allowed: Math.log1p(margin), collapse: Math.log1p(COLLAPSE_MARGINS * margin) };
}

/**
 * Non-inferiority first: a loss that the interval keeps within the margin is none. Else an established loss is a regression; of a single task only one of
 * two margins or more. Answers that are all the same need no interval.
 */
export function judgeQuality(row: QualityRow, rules: Rules, level: number): QualityRow {
  const judged = (verdict: Verdict, reason: string): QualityRow => ({ ...row, verdict, reason });
  if (row.samples === 0 || row.paired === null) return judged('not-comparable', 'no sample is in both runs');
  if (row.identical === row.samples)
    return judged('same', row.part === 'perplexity' ? 'every loss is the same' : 'every answer is the same');
  const { estimate, low, allowed, collapse } = gainOf(row, rules);
  const isEstablished = row.paired.pHolm !== null && row.paired.pHolm < level;
  if (isEstablished && estimate > 0) return judged('better', '');
  if (low !== null && low >= -allowed) return judged('same', 'a larger loss than the margin is ruled out');
  if (isEstablished && row.task === null) return judged('worse', 'a loss is established');
  if (isEstablished && estimate <= -collapse) return judged('worse', 'the task collapses');
  if (isEstablished) return judged('undecided', 'a loss is established, smaller than a collapse');
  return judged('undecided', low === null ? 'too few samples, or too alike, for an interval' : 'a loss beyond the margin is not ruled out');
}
