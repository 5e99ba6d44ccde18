import { detectableDifference } from '../../core/statistics/power.ts';
import { directionOf } from '../paired.ts';
import { numbered, percent, points } from '../phrases.ts';
import type { Check, MethodSummary, Paired } from '../summary.ts';
import { type CheckInput, check } from './check.ts';

/** A study should not miss a loss of this size: one answer in ten, as a share 0..1. */
const NOTICEABLE = 0.1;
/** The error level of a whole family. Each of its comparisons gets an equal part, as in Holm's first step. */
const FAMILY_ALPHA = 0.05;

/** Checks that every cell of the suite completed. It is only a note when the user chose to leave out all the others. */
export function finished({ summary, selection }: CheckInput): Check {
  const { expected, completed, skipped, failed, missing } = summary.cells;
  if (selection.run === null) return check('cells', 'warning', 'untested', 'No run is on record.');
  if (completed === expected) return check('cells', 'warning', 'passed', `All ${numbered(expected, 'cell')} completed.`);
  const chosen = new Set(selection.run.chosen ?? missing);
  const lost = missing.filter((id) => chosen.has(id)).length;
  const rest = [
    { count: skipped.length, one: 'was skipped', several: 'were skipped' },
    { count: failed.length, one: 'failed', several: 'failed' },
    { count: lost, one: 'did not run', several: 'did not run' },
    { count: missing.length - lost, one: 'was not chosen for this run', several: 'were not chosen for this run' },
  ].filter(({ count }) => count > 0);
  const parts = rest.map(({ count, one, several }) => (count === 1 ? `1 ${one}` : `${rest.length === 1 ? 'the rest' : count} ${several}`));
  const byChoice = skipped.length + failed.length + lost === 0;
  const message = `${completed} of ${numbered(expected, 'cell')} completed; ${parts.join(', ')}.`;
  return check('cells', byChoice ? 'note' : 'warning', 'failed', message);
}

/** Checks that no compressed method beats the full cache, because such a method points at a broken baseline. */
export function denseIsBest({ summary }: CheckInput): Check {
  const comparisons = (method: MethodSummary): { paired: Paired; better: 'up' | 'down' }[] => [
    ...(method.retrieval?.meanToBaseline ? [{ paired: method.retrieval.meanToBaseline, better: 'up' as const }] : []),
    ...(method.scores?.meanToBaseline ? [{ paired: method.scores.meanToBaseline, better: 'up' as const }] : []),
    ...(method.perplexity?.toBaseline ? [{ paired: method.perplexity.toBaseline, better: 'down' as const }] : []),
  ];
  const tested = summary.methods.filter((method) => comparisons(method).some(({ paired }) => paired.pHolm !== null));
  if (tested.length === 0) return check('baseline-best', 'warning', 'untested', 'No method was compared with the baseline.');
  const best = tested.filter((method) => comparisons(method).some(({ paired, better }) => directionOf(paired) === better));
  return best.length === 0
    ? check('baseline-best', 'warning', 'passed', `No compressed method beats ${summary.baseline} beyond noise.`)
    : check(
        'baseline-best',
        'warning',
        'failed',
        `${best.map((method) => method.id).join(', ')} beat ${summary.baseline} beyond noise: suspect the baseline, its prompts or the scorer.`,
      );
}

/** Checks that the model can do the task at all. */
export function denseCanDoIt({ summary }: CheckInput): Check {
  const shortest = summary.methods.find((method) => method.id === summary.baseline)?.retrieval?.lengths.find((at) => at.whole);
  if (shortest === undefined) return check('baseline-able', 'warning', 'untested', 'The baseline has no retrieval score.');
  const { estimate } = shortest.accuracy;
  return check(
    'baseline-able',
    'warning',
    estimate >= 0.5 ? 'passed' : 'failed',
    `${summary.baseline} answers ${percent(estimate)} at its shortest length, ${shortest.length} tokens${estimate >= 0.5 ? '' : ': too few to show what compression loses'}.`,
  );
}

/** Checks how large a loss the study could have found. This is the power of the test that is used, at the error level that its family leaves to it. */
export function power({ summary }: CheckInput): Check {
  const paired = summary.methods.flatMap((method) => (method.retrieval?.meanToBaseline ? [method.retrieval.meanToBaseline] : []));
  const tested = paired.filter(({ test, pHolm }) => test === 'mcnemar-mid-p' && pHolm !== null);
  const [worst] = tested
    .map((comparison) => ({ comparison, least: detectable(comparison) }))
    .toSorted((a, b) => (b.least ?? Number.POSITIVE_INFINITY) - (a.least ?? Number.POSITIVE_INFINITY));
  if (worst === undefined) return check('power', 'note', 'untested', 'No paired retrieval comparison.');
  const { comparison, least } = worst;
  const ok = least !== null && least <= NOTICEABLE;
  const study = `With ${numbered(comparison.delta.n, 'pair')} over all lengths and ${numbered(comparison.comparisons, 'comparison')}`;
  if (least === null) return check('power', 'note', 'failed', `${study}, not even a total loss would reliably be found.`);
  const missed = ok ? '' : '; smaller ones are likely missed';
  return check(
    'power',
    'note',
    ok ? 'passed' : 'failed',
    `${study}, true differences of ${points(least)} points and more show up (80% power, mid-p McNemar test)${missed}.`,
  );
}

/**
 * The least true difference, 0..1, that a comparison finds with 80% power; null when it would miss even a total loss. Answers that were lost and gained equally
 * often are noise and no effect.
 */
function detectable({ delta, lost, gained, comparisons }: Paired): number | null {
  return detectableDifference({ pairs: delta.n, background: Math.min(lost, gained) / delta.n, alpha: FAMILY_ALPHA / comparisons });
}
