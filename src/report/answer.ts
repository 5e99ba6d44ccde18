import { rungOf } from '../summary/contrasts.ts';
import { kvShare, shareLength } from '../summary/kv-share.ts';
import { directionOf } from '../summary/paired.ts';
import { countText, familyP, numbered, percent, percentWithInterval, points, pointsWithInterval } from '../summary/phrases.ts';
import { timedText } from '../summary/speed/verdicts.ts';
import type { MethodSummary, Paired, Summary } from '../summary/summary.ts';
import { decodeShare } from './cost.ts';

/** The answer that a reader wants first: whether a method beats a uniform mask of the same memory, by how much, and how certain this is. */
export interface Answer {
  /** One sentence that can be read without the evidence. */
  readonly claim: string;
  /** Sentences with the evidence, and with what else was found about the method. */
  readonly evidence: readonly string[];
}

/**
 * One answer for each budget that has a uniform mask and freer methods. It compares the freest of these methods with the mask. When no budget has such a pair,
 * the answers compare the freest methods with the baseline. Empty when nothing was compared.
 */
export function answers(summary: Summary): Answer[] {
  const pairs = uniformPairs(summary);
  if (pairs.length > 0) return pairs.map((pair) => againstUniform(pair, summary));
  const compressed = summary.methods.filter((method) => method.id !== summary.baseline);
  const freest = compressed.filter((method) => rungOf(method) !== UNIFORM);
  return (freest.length > 0 ? freest : compressed).flatMap((method) => besideBaseline(method, summary) ?? []);
}

/** The rung of uniform masks. */
const UNIFORM = 1;

interface Pair {
  readonly own: MethodSummary;
  readonly uniform: MethodSummary;
  /** The method's value minus the uniform mask's. */
  readonly paired: Paired;
}

/** For each uniform mask, its comparison with the freest method of the same memory. */
function uniformPairs(summary: Summary): Pair[] {
  const of = (id: string): MethodSummary | undefined => summary.methods.find((method) => method.id === id);
  const all = summary.contrasts.flatMap(({ method, paired }): Pair[] => {
    const [own, other] = [of(method), of(paired.other)];
    if (own === undefined || other === undefined || (rungOf(own) === UNIFORM) === (rungOf(other) === UNIFORM)) return [];
    return rungOf(other) === UNIFORM ? [{ own, uniform: other, paired }] : [{ own: other, uniform: own, paired: turned(paired, own.id) }];
  });
  return summary.methods.flatMap((method) => {
    const [freest] = all.filter(({ uniform }) => uniform === method).toSorted((a, b) => rungOf(b.own) - rungOf(a.own));
    return freest === undefined ? [] : [freest];
  });
}

/** The same comparison from the other method's side, so with its signs turned. `other`: the method that it is now compared with. */
function turned(paired: Paired, other: string): Paired {
  const { estimate, low, high, n } = paired.delta;
  const delta = { estimate: -estimate, low: high === null ? null : -high, high: low === null ? null : -low, n };
  return { ...paired, other, delta, lost: paired.gained, gained: paired.lost };
}

function againstUniform({ own, uniform, paired }: Pair, summary: Summary): Answer {
  const direction = directionOf(paired);
  const verdict =
    direction === null
      ? `${own.label} and ${uniform.label}, a uniform mask of the same memory, cannot be told apart`
      : `${own.label} is ${direction === 'up' ? 'better' : 'worse'} than ${uniform.label}, a uniform mask of the same memory`;
  return {
    claim: `${verdict}${seenText(own, uniform, summary)}.`,
    evidence: [
      `The difference is ${pointsWithInterval(paired.delta, ' points')} (95% interval) on the same ${numbered(paired.delta.n, 'question')}, of which it gained ${countText(paired.gained)} and lost ${countText(paired.lost)}: ${certainty(paired)}.`,
      ...besideSentence(own, summary),
      ...taskSentence([own, uniform], summary),
      ...speedSentence(own, uniform, summary),
    ],
  };
}

/** What the p-value means in words, for readers who do not use p-values, with the p-value in brackets. */
function certainty(paired: Paired): string {
  if (paired.pHolm === null) return 'too few to say whether chance made it';
  return `${directionOf(paired) === null ? 'chance may have made it' : 'chance is an unlikely reason'} (${familyP(paired)})`;
}

/** `: with 49.0% of Dense's KV memory it answers 98% of the retrieval questions right, the mask 49% with 50.0%`. */
function seenText(own: MethodSummary, uniform: MethodSummary, summary: Summary): string {
  const [mine, theirs] = [own, uniform].map(({ retrieval }) => (retrieval?.mean ? percent(retrieval.mean.estimate) : null));
  if (mine === null || theirs === null) return '';
  const shares = [own, uniform].map((method) => kvShare(method, shareLength(summary)));
  const [memory, other] = shares.map((share) => (share === null ? null : percent(share, 1)));
  const withMemory = memory === null || other === null ? '' : ` with ${memory} of ${baselineLabel(summary)}'s KV memory`;
  return `:${withMemory} it answers ${mine} of the retrieval questions right, the mask ${theirs}${withMemory === '' || memory === other ? '' : ` with ${other}`}`;
}

function besideSentence({ retrieval }: MethodSummary, summary: Summary): string[] {
  const paired = retrieval?.meanToBaseline;
  if (!paired) return [];
  const label = baselineLabel(summary);
  const direction = directionOf(paired);
  const { low } = paired.delta;
  const open = low !== null && low < 0 ? `; a loss of up to ${points(-low)} points is not ruled out` : '';
  const verdict =
    direction === null
      ? `a difference is not established${open}`
      : direction === 'up'
        ? `it is better than ${label}`
        : `it is worse than ${label}`;
  return [`Beside ${label}: ${pointsWithInterval(paired.delta, ' points')}, ${verdict}.`];
}

function taskSentence(methods: readonly MethodSummary[], summary: Summary): string[] {
  const parts = methods.flatMap(({ label, scores }) =>
    scores?.mean?.relative ? [`${label} keeps ${percentWithInterval(scores.mean.relative)}`] : [],
  );
  if (parts.length === 0) return [];
  const tasks = numbered(summary.common.tasks.used.length, 'long-context task');
  return [`Of ${baselineLabel(summary)}'s mean score over ${tasks}, ${parts.join(', ')}.`];
}

/** The method's decoding speed compared with the baseline and with `uniform`. null: with every uniform mask of equal KV memory. */
function speedSentence(own: MethodSummary, uniform: MethodSummary | null, { speedContrasts, methods, baseline }: Summary): string[] {
  const isUniform = (id: string): boolean =>
    uniform === null ? methods.some((method) => method.id === id && rungOf(method) === UNIFORM) : id === uniform.id;
  const contrasts = speedContrasts.filter(
    ({ method, measure, other }) => method === own.id && measure === 'decode' && (other === baseline || isUniform(other)),
  );
  const [first] = contrasts;
  if (first === undefined) return [];
  const label = (id: string): string => methods.find((method) => method.id === id)?.label ?? id;
  const [ratio, ...more] = contrasts.map(
    (contrast, i) => `${timedText(contrast.ratio)}${i === 0 ? ' the tokens per second' : ''} of ${label(contrast.other)}`,
  );
  const at = `Decoding at ${countText(first.length)} tokens of context, batch ${first.batch}`;
  return [`${at}, it makes ${[ratio, ...more].join(' and ')}.`];
}

/** The answer when no method was compared with a uniform mask: the method beside the baseline. null when nothing was found about it. */
function besideBaseline(method: MethodSummary, summary: Summary): Answer | null {
  const { label, retrieval } = method;
  const baseline = baselineLabel(summary);
  const share = kvShare(method, shareLength(summary)) ?? decodeShare(method, summary);
  const memory = share === null ? '' : `With ${percent(share, 1)} of ${baseline}'s KV memory, `;
  const speed = speedSentence(method, null, summary);
  const evidence = [...besideSentence(method, summary), ...taskSentence([method], summary)];
  if (retrieval?.mean)
    return {
      claim: `${memory}${label} answers ${percentWithInterval(retrieval.mean)} of the retrieval questions right.`,
      evidence: [...evidence, ...speed],
    };
  const [first, ...rest] = [...evidence, ...speed];
  if (first === undefined) return null;
  const scored = method.scores !== null || method.perplexity !== null;
  return {
    claim: memory === '' ? `${label}: ${lowerFirst(first)}` : `${memory}${label} was measured beside ${baseline}: ${lowerFirst(first)}`,
    evidence: [...rest, ...(scored ? [] : ['No answers were scored in this run: it says nothing of quality.'])],
  };
}

function baselineLabel({ methods, baseline }: Summary): string {
  return methods.find((method) => method.id === baseline)?.label ?? baseline;
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
