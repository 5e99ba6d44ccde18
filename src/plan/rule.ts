/**
 * How the span of one head follows the length: span(N) = alpha + beta * N tokens, sink included (MoA Eq. 2).
 * alpha in tokens, beta a ratio, N = prompt + reserve.
 */
export interface Rule {
  readonly alpha: number;
  readonly beta: number;
}

/**
 * The rules of one KV head; its span is the largest of their spans. A head has several only where it serves query heads whose rules cross.
 */
export type HeadRules = readonly [Rule, ...Rule[]];

/** Text that is equal for equal rules only. */
export function ruleKey(rule: Rule): string {
  return `${rule.alpha},${rule.beta}`;
}

/** As `ruleKey`, for all rules of a head in their order. */
export function rulesKey(rules: HeadRules): string {
  return rules.map(ruleKey).join(';');
}

/** The rules of a head for people: `0.5 N`, `max(4096, 0.5 N)`. */
export function formatRules(rules: HeadRules): string {
  const each = rules.map(formatRule).join(', ');
  return rules.length === 1 ? each : `max(${each})`;
}

/** A rule for people: `512 + 0.25 N`, `0.5 N`, `1024`. */
function formatRule(rule: Rule): string {
  const beta = Number(rule.beta.toFixed(4));
  const alpha = Number(rule.alpha.toFixed(1));
  if (beta === 0) return `${alpha}`;
  const slope = beta === 1 ? 'N' : beta === -1 ? '-N' : `${beta} N`;
  if (alpha === 0) return slope;
  return `${alpha} ${beta < 0 ? '-' : '+'} ${slope.replace('-', '')}`;
}
