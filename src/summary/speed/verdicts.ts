import { LEAST_ROUNDS } from '../../core/statistics/timing.ts';
import { countText, numbered, pText } from '../phrases.ts';
import type { MethodSummary, Summary } from '../summary.ts';
import type { SpeedContrast, Timed } from './estimates.ts';

/** A difference counts as established when its Holm-adjusted p-value is below this. */
const ALPHA = 0.05;
const WHAT = { decode: 'Decoding', prefill: 'In prefill' } as const;

/**
 * Sentences about one method's speed beside others, and about conditions under which it does not fit into memory. Comparisons with fewer than `LEAST_ROUNDS` rounds
 * are left out.
 */
export function speedSentences(method: MethodSummary, { speedContrasts, methods }: Pick<Summary, 'speedContrasts' | 'methods'>): string[] {
  const label = (id: string): string => methods.find((other) => other.id === id)?.label ?? id;
  const contrasts = speedContrasts.filter((contrast) => contrast.method === method.id && contrast.ratio.rounds >= LEAST_ROUNDS);
  return [...contrasts.flatMap((contrast) => sentence(contrast, method.label, label(contrast.other))), ...unfitSentences(method)];
}

/** `1.52x [1.48, 1.57]`, or `1.52x` where there is too little for an interval. */
export function timedText({ estimate, low, high }: Pick<Timed, 'estimate' | 'low' | 'high'>): string {
  return `${estimate.toFixed(2)}x${low === null || high === null ? '' : ` [${low.toFixed(2)}, ${high.toFixed(2)}]`}`;
}

function sentence(contrast: SpeedContrast, own: string, other: string): string[] {
  const { measure, ratio, pHolm, family } = contrast;
  if (pHolm === null) return [];
  const at = `${WHAT[measure]} at ${conditionText(contrast)}`;
  const among = family === 1 ? '' : ` among ${numbered(family, 'comparison')}`;
  const evidence = `${extentText(ratio)}, ${family === 1 ? '' : 'Holm-adjusted '}${pText(pHolm)}${among}`;
  if (pHolm >= ALPHA) return [`${at}, ${own} and ${other} cannot be told apart in speed: ${timedText(ratio)} (${evidence}).`];
  const verdict = ratio.estimate > 1 ? 'faster' : 'slower';
  return [`${at}, ${own} is ${verdict}: ${timedText(ratio)} the tokens per second of ${other} (${evidence}).`];
}

/** How many rounds and processes were timed. With one process it warns that another process may differ. */
function extentText({ processes, rounds }: Timed): string {
  if (processes > 1) return `${numbered(rounds, 'round')} in ${numbered(processes, 'process', 'processes')}`;
  return `${numbered(rounds, 'round')} in one process, another may differ`;
}

function unfitSentences(method: MethodSummary): string[] {
  return method.unfit.map((at) => {
    const cache = at.cache === 'dynamic' ? ' with a growing cache' : '';
    return `${WHAT[at.measure]} at ${conditionText(at)}, ${method.label}${cache} does not fit into memory.`;
  });
}

function conditionText({ length, batch }: { readonly length: number; readonly batch: number }): string {
  return `${countText(length)} tokens of context${batch > 1 ? `, batch ${batch}` : ''}`;
}
