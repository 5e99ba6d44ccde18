import { numbered, percent, points } from '../phrases.ts';
import type { Check, Paired } from '../summary.ts';
import { type CheckInput, check } from './check.ts';

/** Losses that a study should not miss: one answer in ten. */
const NOTICEABLE = 0.1;

/** Every cell of the suite completed. Only a note where the others were left out by choice. */
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

/** A compressed method that beats the full cache points at a broken baseline. */
export function denseIsBest({ summary }: CheckInput): Check {
  const better = summary.methods.filter(
    (method) => (method.retrieval?.meanToBaseline?.delta.low ?? 0) > 0 || (method.scores?.meanToBaseline?.delta.low ?? 0) > 0,
  );
  const tested = summary.methods.some((method) => method.retrieval?.meanToBaseline || method.scores?.meanToBaseline);
  if (!tested) return check('baseline-best', 'warning', 'untested', 'No method was compared with the baseline.');
  return better.length === 0
    ? check('baseline-best', 'warning', 'passed', `No compressed method beats ${summary.baseline} beyond noise.`)
    : check(
        'baseline-best',
        'warning',
        'failed',
        `${better.map((method) => method.id).join(', ')} beat ${summary.baseline} beyond noise: suspect the baseline, its prompts or the scorer.`,
      );
}

/** The model can do the task at all. */
export function denseCanDoIt({ summary }: CheckInput): Check {
  const shortest = summary.methods.find((method) => method.id === summary.baseline)?.retrieval?.lengths[0];
  if (shortest === undefined) return check('baseline-able', 'warning', 'untested', 'The baseline has no retrieval score.');
  const { estimate } = shortest.accuracy;
  return check(
    'baseline-able',
    'warning',
    estimate >= 0.5 ? 'passed' : 'failed',
    `${summary.baseline} answers ${percent(estimate)} at its shortest length, ${shortest.length} tokens${estimate >= 0.5 ? '' : ': too few to show what compression loses'}.`,
  );
}

/** How large a loss the study could have seen. */
export function power({ summary }: CheckInput): Check {
  const paired = summary.methods.flatMap((method) => (method.retrieval?.meanToBaseline ? [method.retrieval.meanToBaseline] : []));
  const least = ({ detectable }: Paired): number => detectable ?? Number.POSITIVE_INFINITY;
  const [worst] = paired.toSorted((a, b) => least(b) - least(a));
  if (worst === undefined) return check('power', 'note', 'untested', 'No paired retrieval comparison.');
  const ok = least(worst) <= NOTICEABLE;
  return check('power', 'note', ok ? 'passed' : 'failed', powerText(worst, ok));
}

function powerText({ delta, detectable }: Paired, ok: boolean): string {
  const study = `With ${numbered(delta.n, 'pair')} over all lengths`;
  if (detectable === null) return `${study}, not even a total loss would reliably reach p < 0.05.`;
  const missed = ok ? '' : '; smaller ones are likely missed';
  return `${study}, true differences of ${points(detectable)} points and more show up (80% power, exact test)${missed}.`;
}
