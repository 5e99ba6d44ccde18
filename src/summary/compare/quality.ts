import { groupBy } from '../../core/group-by.ts';
import { holm } from '../../core/statistics/holm.ts';
import { percent, points } from '../phrases.ts';
import type { Paired } from '../summary.ts';
import type { Comparison, QualityRow } from './comparison.ts';
import { differenceOf, isIdentical, meansOf, type PairedCell } from './paired-samples.ts';
import { COLLAPSE_MARGINS, type Rules, type Verdict } from './rules.ts';

/** Rows of quality that have no verdict yet: each method over all tasks and lengths that both runs have, and each single task and length. */
export interface QualityRows {
  readonly quality: readonly QualityRow[];
  readonly tasks: readonly QualityRow[];
  readonly families: Comparison['families'];
}

/** Scores of both runs on the same samples. They are adjusted (Holm) within two families: methods over all tasks, and single tasks. */
export function compareQuality(cells: readonly PairedCell[]): QualityRows {
  const groups = [...groupBy(cells, ({ part, method }) => `${part}/${method.head}`).values()];
  const quality = adjusted(groups.map((group) => rowOf(group, null)));
  const tasks = adjusted(groups.flatMap((group) => (group.length === 1 ? [] : group.map((cell) => rowOf([cell], cell)))));
  return {
    quality,
    tasks,
    families: [
      ...family('quality of each method over all tasks and lengths', quality),
      ...family('quality at each task and length', tasks),
    ],
  };
}

function family(name: string, rows: readonly QualityRow[]): Comparison['families'] {
  const comparisons = rows.filter(({ paired }) => paired?.pHolm != null).length;
  return comparisons === 0 ? [] : [{ name, comparisons }];
}

/** The row of one method and part. `only`: the single task and length of the row; null when it is over all. */
function rowOf(cells: readonly PairedCell[], only: PairedCell | null): QualityRow {
  const [{ part, method }] = cells as readonly [PairedCell, ...PairedCell[]];
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

/**
 * The rows with Holm-adjusted p-values. A row in which no score changed can never show a difference, so it does not count in the family (Tarone 1990, Biometrics
 * 46, 515).
 */
function adjusted(rows: readonly QualityRow[]): QualityRow[] {
  const changed = rows.flatMap(({ paired }) => (paired !== null && paired.lost + paired.gained > 0 ? [paired] : []));
  const tested = changed.flatMap((paired) => (paired.p === null ? [] : [{ paired, p: paired.p }]));
  const pHolm = holm(tested.map(({ p }) => p));
  const now = new Map<Paired, Paired>(
    tested.map(({ paired }, i) => [paired, { ...paired, pHolm: pHolm[i] ?? null, comparisons: tested.length }]),
  );
  return rows.map((row) => ({ ...row, paired: row.paired && (now.get(row.paired) ?? row.paired) }));
}

/**
 * The difference with its sign turned so that more is better, and the margins in the same unit. The unit is a share 0..1; for losses it is nats, in which a
 * margin of perplexity is its logarithm.
 */
function gainOf({ part, paired }: QualityRow, { margin }: Rules) {
  const delta = paired?.delta ?? { estimate: Number.NaN, low: null, high: null };
  if (part !== 'perplexity') return { ...delta, allowed: margin, collapse: COLLAPSE_MARGINS * margin };
  const low = delta.high === null ? null : -delta.high;
  return { estimate: -delta.estimate, low, allowed: Math.log1p(margin), collapse: Math.log1p(COLLAPSE_MARGINS * margin) };
}

/**
 * The row with its verdict. `level`: the two-sided error level of the family. The first rule that applies decides:
 * - No sample is in both runs: `not-comparable`.
 * - All answers are the same: `same`. This needs no interval.
 * - A gain is established: `better`.
 * - The interval rules out a loss larger than the margin (non-inferiority): `same`, also when a smaller loss is established.
 * - A loss is established: `worse`. For a single task the loss must also be at least `COLLAPSE_MARGINS` margins.
 * - Otherwise: `undecided`.
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
  if (low === null) return judged('undecided', 'too few samples, or too alike, for an interval');
  const most =
    row.part === 'perplexity' ? `a perplexity up to ${percent(Math.expm1(-low), 1)} higher` : `a loss of up to ${points(-low)} points`;
  return judged('undecided', `${most} is not ruled out`);
}
