/** What a comparison of HEAD with BASE says about one row, or about the whole. `worse` is a regression. */
export const VERDICTS = ['better', 'same', 'worse', 'undecided', 'not-comparable'] as const;
export type Verdict = (typeof VERDICTS)[number];

/** The limits that a user may set. */
export interface Rules {
  /**
   * The largest loss that counts as no loss: a share 0..1 of right answers, of the score, or of perplexity. 5% is what the claim 'within 5% of dense attention'
   * means, and a full suite can show it with its 200 samples for each method. 2% would take some 2,000 samples.
   */
  readonly margin: number;
  /** The share 0..1 by which HEAD must be slower to be a regression. Runs of the same code on one machine differ by a few percent from day to day. */
  readonly slower: number;
}
export const DEFAULT_RULES: Rules = { margin: 0.05, slower: 0.05 };

/**
 * A single task collapses when its loss is established and is at least this many margins. A single task has few samples, so a smaller loss is often chance. A
 * smaller loss that is real shows in the mean over the tasks.
 */
export const COLLAPSE_MARGINS = 2;

/** Peaks within 1% of each other count as the same, because workspaces are rounded to blocks and allocators give whole pages. */
export const PEAK_TOLERANCE = 0.01;

/**
 * The two-sided error level, 0..1, at which each of `families` families is tested. Only one side of a test can call a regression, so each family calls one at
 * half of this level. All families together then call a regression in at most 5% of comparisons of equal runs.
 */
export function levelOf(families: number): number {
  return Math.min(0.05, 0.1 / Math.max(1, families));
}

/**
 * The verdict on the whole comparison. It is the first of `worse`, `undecided`, `better` and `same` that any row has. It is `not-comparable` when no row could be
 * compared.
 */
export function wholeVerdict(verdicts: readonly Verdict[]): Verdict {
  const order: readonly Verdict[] = ['worse', 'undecided', 'better', 'same'];
  return order.find((verdict) => verdicts.includes(verdict)) ?? 'not-comparable';
}
