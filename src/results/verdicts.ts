import { rungOf } from './contrasts.ts';
import { numbered, percent, percentWithInterval, points, pText } from './phrases.ts';
import { speedSentences } from './speed-verdicts.ts';
import type { MethodSummary, Paired, Summary } from './summary.ts';

/** Below this p-value a difference is stated as one. */
const ALPHA = 0.05;

/** The findings in plain words; every number with its interval and n. */
export function writeVerdicts(summary: Omit<Summary, 'verdicts'>): string[] {
  const labels = new Map(summary.methods.map((method) => [method.id, method.label]));
  const label = (id: string): string => labels.get(id) ?? id;
  const blocking = summary.checks.filter((check) => check.status === 'failed' && check.severity === 'blocking');
  // The freest methods are what a suite is about, so they come first.
  const compressed = summary.methods.filter((method) => method.id !== summary.baseline).toSorted((a, b) => rungOf(b) - rungOf(a));
  return [
    ...blocking.map((check) => `Do not rely on this run: ${lowerFirst(check.message)}`),
    ...compressed.flatMap((method) => [
      ...quality(method, label(summary.baseline)),
      ...summary.contrasts.filter((c) => c.method === method.id).map(({ paired }) => contrast(method.label, label(paired.other), paired)),
      ...speedSentences(method, label(summary.baseline)),
    ]),
  ];
}

function quality(method: MethodSummary, baseline: string): string[] {
  const { retrieval, scores } = method;
  const sentences: string[] = [];
  if (retrieval?.meanToBaseline) {
    const memory = longest(method.kvBytes)?.ratioToBaseline;
    const where = memory === null || memory === undefined ? '' : `With ${percent(memory)} of the KV memory, `;
    sentences.push(
      `${where}${method.label} answers ${percentWithInterval(retrieval.mean)} of the retrieval questions, ${difference(retrieval.meanToBaseline, baseline)}`,
    );
  }
  if (scores?.mean.relative) {
    const { relative } = scores.mean;
    sentences.push(
      `${method.label} keeps ${percentWithInterval(relative)} of ${baseline}'s mean score over ${numbered(scores.tasks.length, 'long-context task')} (n = ${numbered(relative.n, 'sample')}).`,
    );
  }
  return sentences;
}

function difference(paired: Paired, baseline: string): string {
  const evidence = `${evidenceOf(paired)}, ${pText(paired.p)}`;
  const direction = directionOf(paired, paired.p);
  if (direction !== null) return `${direction.word} than ${baseline}${direction.caveat}: ${evidence}.`;
  return `no difference from ${baseline} is visible (${evidence}).${missable(paired)}`;
}

function missable({ test, detectable, delta }: Paired): string {
  if (detectable !== null) return ` Differences under ${points(detectable)} points could have been missed.`;
  return test === 'mcnemar-exact' ? ` With ${numbered(delta.n, 'pair')} any difference could have been missed.` : '';
}

function contrast(own: string, other: string, paired: Paired): string {
  const evidence = `${evidenceOf(paired)}, Holm-adjusted ${pText(paired.pHolm)}`;
  const direction = directionOf(paired, paired.pHolm);
  if (direction === null) return `At equal KV memory, ${own} and ${other} cannot be told apart (${evidence}).`;
  return `At equal KV memory, ${own} is ${direction.word} at retrieval than ${other}${direction.caveat}: ${evidence}.`;
}

function evidenceOf({ delta, lost, gained }: Paired): string {
  return `${points(delta.estimate)} points [${points(delta.low)}, ${points(delta.high)}], ${lost} lost and ${gained} gained of ${delta.n}`;
}

/**
 * Which way a difference goes, by interval and test together; null when both allow none. With few samples, or many comparisons, the exact test
 * may still allow chance where the interval no longer holds 0: neither "different" nor "no difference" would be true.
 */
function directionOf({ delta }: Paired, p: number): { readonly word: 'better' | 'worse'; readonly caveat: string } | null {
  const word = delta.estimate < 0 ? 'worse' : 'better';
  if (p < ALPHA) return { word, caveat: '' };
  const excludesZero = delta.low > 0 || delta.high < 0;
  return excludesZero ? { word, caveat: `, but with too few samples (n = ${delta.n}) to be certain` } : null;
}

function longest<T extends { readonly length: number }>(items: readonly T[]): T | undefined {
  return items.toSorted((a, b) => b.length - a.length)[0];
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
