import { BLOCK_TOKENS } from '../core/blocks.ts';
import { formatRules, type HeadRules, ruleKey } from './rule.ts';
import type { Plan } from './schema.ts';
import { densityAt, rulesOf, smallestSpan } from './spans.ts';

type LintCode =
  | 'model-mismatch'
  | 'negative-span'
  | 'span-below-minimum'
  | 'span-above-length'
  | 'window-not-block'
  | 'stale-density'
  | 'density-drift'
  | 'too-many-rules'
  | 'uniform-layer'
  | 'group-disagreement'
  | 'group-too-small';

/** One thing that the author of a plan would want to know. `error` means that the plan cannot be meant as it stands. */
export interface LintFinding {
  readonly severity: 'error' | 'warning' | 'note';
  readonly code: LintCode;
  readonly message: string;
}

export interface LintOptions {
  /** Lengths that the plan is judged at. Default: those of its densities, else 1k to 16k. */
  readonly lengths?: readonly number[];
  /** Relative spread of the density over the lengths that is still fine. Default 0.1. */
  readonly maxDrift?: number;
  /** Distinct rules a layer that are still fine. Default 2. */
  readonly rulesPerLayer?: number;
  /** The model that the plan should fit. */
  readonly model?: { readonly layers: number; readonly heads: number; readonly kvHeads: number; readonly headDim: number };
}

const DEFAULT_LENGTHS = [1024, 2048, 4096, 8192, 16384];

/** What is odd about a plan, errors first; an empty list for a plan without surprises. */
export function lintPlan(plan: Plan, options: LintOptions = {}): LintFinding[] {
  const stated = Object.keys(plan.densities).map(Number);
  const lengths = [...(options.lengths ?? (stated.length > 0 ? stated : DEFAULT_LENGTHS))].sort((a, b) => a - b);
  const findings = [
    ...modelFindings(plan, options),
    ...spanFindings(plan, lengths),
    ...densityFindings(plan, lengths, options.maxDrift ?? 0.1),
    ...layerFindings(plan, options.rulesPerLayer ?? 2),
  ];
  const order = { error: 0, warning: 1, note: 2 };
  return findings.sort((a, b) => order[a.severity] - order[b.severity]);
}

function modelFindings(plan: Plan, options: LintOptions): LintFinding[] {
  const { model } = options;
  if (model === undefined) return [];
  return (['layers', 'heads', 'kvHeads', 'headDim'] as const)
    .filter((name) => plan.model[name] !== model[name])
    .map((name) => ({
      severity: 'error',
      code: 'model-mismatch',
      message: `The plan is for ${name} = ${plan.model[name]}, the model has ${model[name]}`,
    }));
}

/** The checks of single spans. Each check gives one finding, which names the first such span and counts the others. */
function spanFindings(plan: Plan, lengths: readonly number[]): LintFinding[] {
  if (plan.method === 'dense') return [];
  const least = smallestSpan(plan.sink);
  const checks: {
    readonly severity: LintFinding['severity'];
    readonly code: LintCode;
    readonly what: string;
    fails(span: number, tokens: number): boolean;
  }[] = [
    { severity: 'error', code: 'negative-span', what: 'is zero or negative', fails: (span) => span <= 0 },
    {
      severity: 'warning',
      code: 'span-below-minimum',
      what: `is below the smallest span of ${least}`,
      fails: (span, n) => span > 0 && span < least && n >= least,
    },
    { severity: 'note', code: 'span-above-length', what: 'is longer than the sequence', fails: (span, n) => span > n },
    {
      severity: 'note',
      code: 'window-not-block',
      what: `is no whole number of ${BLOCK_TOKENS}-token blocks and is rounded up`,
      fails: (span, n) => span >= least && span < n && Math.trunc(span) % BLOCK_TOKENS !== 0,
    },
  ];
  return checks.flatMap(({ severity, code, what, fails }) => {
    let count = 0;
    let first = '';
    for (const tokens of lengths) {
      forEachHead(plan, (rules, layer, head) => {
        const span = Math.max(...rules.map(({ alpha, beta }) => alpha + beta * tokens));
        if (!fails(span, tokens)) return;
        count++;
        if (first === '') first = `layer ${layer}, KV head ${head}: ${formatRules(rules)} = ${Number(span.toFixed(2))} at N = ${tokens}`;
      });
    }
    return count === 0 ? [] : [{ severity, code, message: `A span ${what}: ${first}${count > 1 ? `, and ${count - 1} more` : ''}` }];
  });
}

function densityFindings(plan: Plan, lengths: readonly number[], maxDrift: number): LintFinding[] {
  const findings: LintFinding[] = [];
  for (const [tokens, stated] of Object.entries(plan.densities)) {
    const density = densityAt(plan, Number(tokens));
    if (Math.abs(density - stated) > 1e-6) {
      const message = `The plan states density ${stated.toFixed(4)} at N = ${tokens} but its rules give ${density.toFixed(4)}`;
      findings.push({ severity: 'error', code: 'stale-density', message });
    }
  }
  const at = lengths.map((tokens) => ({ tokens, density: densityAt(plan, tokens) }));
  if (at.length < 2) return findings;
  const low = at.reduce((a, b) => (b.density < a.density ? b : a));
  const high = at.reduce((a, b) => (b.density > a.density ? b : a));
  const drift = high.density / low.density - 1;
  if (drift > maxDrift) {
    const range = `from ${low.density.toFixed(3)} at N = ${low.tokens} to ${high.density.toFixed(3)} at N = ${high.tokens}`;
    findings.push({ severity: 'warning', code: 'density-drift', message: `The density goes ${range}, ${(100 * drift).toFixed(0)}% apart` });
  }
  return findings;
}

function layerFindings(plan: Plan, rulesPerLayer: number): LintFinding[] {
  const findings: LintFinding[] = [];
  const distinct = Array.from({ length: plan.model.layers }, () => new Set<string>());
  forEachHead(plan, (rules, layer) => {
    for (const rule of rules) distinct[layer]?.add(ruleKey(rule));
  });
  const many = distinct.flatMap((rules, layer) => (rules.size > rulesPerLayer ? [layer] : []));
  if (many.length > 0) {
    const message = `${many.length} of ${distinct.length} layers have more than ${rulesPerLayer} rules: ${list(many)}`;
    findings.push({ severity: 'warning', code: 'too-many-rules', message });
  }
  const single = distinct.flatMap((rules, layer) => (rules.size === 1 ? [layer] : []));
  const meant = plan.method !== 'moa' || plan.heterogeneity === 'uniform' || plan.heterogeneity === 'layers';
  if (single.length > 0 && plan.model.kvHeads > 1 && !meant) {
    findings.push({ severity: 'note', code: 'uniform-layer', message: `${single.length} layers give all heads one rule: ${list(single)}` });
  }
  const { tax } = plan.provenance;
  if (tax !== undefined && tax.disagree > 0) {
    const worst = Math.max(...Object.values(tax.densities).map(({ increase }) => increase));
    const message = `${tax.disagree} of ${tax.groups} groups of query heads had different rules; sharing their KV heads adds up to ${worst.toFixed(3)} density`;
    findings.push({ severity: 'warning', code: 'group-disagreement', message });
  }
  if (tax?.group === 'max' && tax.disagree > 0) {
    const compared = Object.keys(tax.densities).join(', ');
    const message = `The rules of its query heads were compared at N = ${compared} only, so at other lengths a head may keep less than its published rule asks for; import the published plan again`;
    findings.push({ severity: 'warning', code: 'group-too-small', message });
  }
  return findings;
}

function forEachHead(plan: Plan, visit: (rules: HeadRules, layer: number, head: number) => void): void {
  const { kvHeads } = plan.model;
  rulesOf(plan).forEach((rules, i) => {
    visit(rules, Math.floor(i / kvHeads), i % kvHeads);
  });
}

function list(layers: readonly number[]): string {
  return layers.length <= 8 ? layers.join(', ') : `${layers.slice(0, 8).join(', ')}, ...`;
}
