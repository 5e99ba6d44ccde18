import { rungOf } from './contrasts.ts';
import { kvShare, shareLength } from './kv-share.ts';
import { directionOf } from './paired.ts';
import {
  countText,
  familyP,
  listed,
  numbered,
  percent,
  percentWithInterval,
  points,
  pointsWithInterval,
  signedWithInterval,
} from './phrases.ts';
import { speedSentences } from './speed/verdicts.ts';
import type { MethodSummary, Paired, Summary } from './summary.ts';

/** Is printed after the number of samples when there is no interval. */
const NO_INTERVAL = '; too few a task, or too alike, for an interval';

/** The findings in sentences. Estimates come with their interval and n. */
export function writeVerdicts(summary: Omit<Summary, 'verdicts'>): string[] {
  const labels = new Map(summary.methods.map((method) => [method.id, method.label]));
  const label = (id: string): string => labels.get(id) ?? id;
  const blocking = summary.checks.filter((check) => check.status === 'failed' && check.severity === 'blocking');
  // The methods with the freest spans come first, because the suite is run for them.
  const compressed = summary.methods.filter((method) => method.id !== summary.baseline).toSorted((a, b) => rungOf(b) - rungOf(a));
  return [
    ...blocking.map((check) => `Do not rely on this run: ${lowerFirst(check.message)}`),
    ...compressed.flatMap((method) => [
      ...quality(method, label(summary.baseline), summary),
      ...summary.contrasts.filter((c) => c.method === method.id).map((c) => contrast(method.label, label(c.paired.other), c)),
      ...speedSentences(method, summary),
    ]),
  ];
}

function quality(method: MethodSummary, baseline: string, summary: Omit<Summary, 'verdicts'>): string[] {
  return [...retrievalSentence(method, baseline, summary), ...scoreSentence(method, baseline, summary), ...lossSentence(method, baseline)];
}

function retrievalSentence(method: MethodSummary, baseline: string, summary: Omit<Summary, 'verdicts'>): string[] {
  const { label, retrieval } = method;
  if (!retrieval?.mean || !retrieval.meanToBaseline) return [];
  const memory = kvShare(method, shareLength(summary));
  const where = memory === null ? '' : `With ${percent(memory)} of the KV memory, `;
  const { used, leftOut } = summary.common.lengths;
  const over = leftOut.length === 0 ? '' : ` at ${listed(used.map(countText))} tokens`;
  const answers = `${where}${label} answers ${percentWithInterval(retrieval.mean)} of the retrieval questions${over}`;
  return [`${answers}, ${difference(retrieval.meanToBaseline, baseline)}`];
}

function difference(paired: Paired, baseline: string): string {
  const direction = directionOf(paired);
  if (direction !== null) return `${direction === 'up' ? 'better' : 'worse'} than ${baseline}: ${evidenceOf(paired)}.`;
  return `a difference from ${baseline} is not established (${evidenceOf(paired)}).${notRuledOut(paired)}`;
}

/** Says how large a loss the interval leaves possible; empty when it rules out a loss. */
function notRuledOut({ delta }: Paired): string {
  return delta.low !== null && delta.low < 0 ? ` A loss of up to ${points(-delta.low)} points is not ruled out.` : '';
}

function contrast(own: string, other: string, { paired, budget, leastBytesRatio }: Summary['contrasts'][number]): string {
  const direction = directionOf(paired);
  const share = percent(leastBytesRatio, 1);
  const memory =
    budget === 'equal'
      ? 'At equal KV memory'
      : direction === 'up'
        ? `With no more KV memory (down to ${share} of it)`
        : `With less KV memory (down to ${share} of it)`;
  if (direction === null) return `${memory}, ${own} and ${other} cannot be told apart (${evidenceOf(paired)}).`;
  return `${memory}, ${own} is ${direction === 'up' ? 'better' : 'worse'} at retrieval than ${other}: ${evidenceOf(paired)}.`;
}

function evidenceOf(paired: Paired): string {
  const { delta, lost, gained } = paired;
  return `${pointsWithInterval(delta, ' points')}, ${lost} lost and ${gained} gained of ${delta.n}, ${familyP(paired)}`;
}

function scoreSentence({ label, scores }: MethodSummary, baseline: string, { common }: Omit<Summary, 'verdicts'>): string[] {
  const relative = scores?.mean?.relative;
  const paired = scores?.meanToBaseline;
  if (!relative || !paired) return [];
  const { used, leftOut } = common.tasks;
  const tasks =
    leftOut.length === 0
      ? numbered(used.length, 'long-context task')
      : `${used.length} of ${used.length + leftOut.length} long-context tasks`;
  const evidence = relative.low === null ? NO_INTERVAL : `, ${familyP(paired)}`;
  return [
    `${label} keeps ${percentWithInterval(relative)} of ${baseline}'s mean score over ${tasks} (n = ${numbered(relative.n, 'sample')}${evidence}).`,
  ];
}

function lossSentence({ label, perplexity }: MethodSummary, baseline: string): string[] {
  const paired = perplexity?.toBaseline;
  if (!paired) return [];
  const { delta } = paired;
  const direction = directionOf(paired);
  const finding =
    delta.low === null
      ? `the loss of the answers beside ${baseline}'s is`
      : direction === null
        ? `a difference of the answers' loss from ${baseline}'s is not established:`
        : `the answers' loss is ${direction === 'up' ? 'higher' : 'lower'} than with ${baseline}:`;
  // A ratio of perplexities has a meaning only while both methods still work. Beyond a factor of two it grows without limit, so it is left out.
  const ratio = Math.abs(delta.estimate) < Math.LN2 ? `perplexity ${percent(Math.exp(delta.estimate))} of ${baseline}'s, ` : '';
  const evidence = delta.low === null ? NO_INTERVAL : `, ${familyP(paired)}`;
  return [
    `With ${label}, ${finding} ${signedWithInterval(delta, 3, ' nats per token')} (${ratio}n = ${numbered(delta.n, 'sample')}${evidence}).`,
  ];
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
