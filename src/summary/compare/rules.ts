/** What a comparison of HEAD with BASE says of a thing. `worse` is a regression. */
export const VERDICTS = ['better', 'same', 'worse', 'undecided', 'not-comparable'] as const;
export type Verdict = (typeof VERDICTS)[number];

/** What a user may set. */
export interface Rules {
  /**
   * Largest loss that counts as none: a share of right answers or of a score, and of perplexity. 5% is what 'within 5% of dense attention' claims, and what the
   * 200 samples a method of a full suite can show; 2% takes some 2,000.
   */
  readonly margin: number;
  /** Least share by which a slower time is a regression. Runs of the same code on one machine differ by a few percent from day to day. */
  readonly slower: number;
}
export const DEFAULT_RULES: Rules = { margin: 0.05, slower: 0.05 };

/**
 * A single task collapses when its loss is established and at least this many margins: samples of one task are few, so that a smaller loss of one is
 * often chance, and the mean over the tasks sees it.
 */
export const COLLAPSE_MARGINS = 2;

/** Workspaces are rounded to blocks, and allocators hand out pages: a peak within 1% is the same. */
export const PEAK_TOLERANCE = 0.01;

/**
 * The two-sided level at which each of so many families is tested. A regression is called on one side only, at half of it, so that all families together call
 * one in at most 5% of comparisons of equal runs.
 */
export function levelOf(families: number): number {
  return Math.min(0.05, 0.1 / Math.max(1, families));
}

/** The whole verdict: a regression anywhere is one; then what is undecided; then gains. What could not be compared decides only where there is nothing else. */
export function wholeVerdict(verdicts: readonly Verdict[]): Verdict {
  const order: readonly Verdict[] = ['worse', 'undecided', 'better', 'same'];
  return order.find((verdict) => verdicts.includes(verdict)) ?? 'not-comparable';
}
