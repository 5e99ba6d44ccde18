import { numbered, percent, points } from '../phrases.ts';
import type { Check, Paired } from '../summary.ts';
import { type CheckInput, check } from './check.ts';

/** Losses that a study should not miss: one answer in ten. */
const NOTICEABLE = 0.1;

/** Every cell completed. */
export function finished({ summary }: CheckInput): Check {
  const { completed, skipped, failed } = summary.cells;
  const ok = failed.length + skipped.length === 0;
  const message = ok
    ? `All ${completed} cells completed.`
    : `${completed} cells completed, ${skipped.length} were skipped and ${failed.length} failed.`;
  return check('cells', 'warning', completed === 0 ? 'untested' : ok ? 'passed' : 'failed', message);
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
