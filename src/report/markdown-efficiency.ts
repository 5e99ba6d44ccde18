import { bytesText, countText, percent } from '../summary/phrases.ts';
import type { Measure, Speed, Timed } from '../summary/speed/estimates.ts';
import { timedText } from '../summary/speed/verdicts.ts';
import type { MethodSummary, Summary } from '../summary/summary.ts';
import { costText, tokensPerSecondPerGB } from './cost.ts';
import { table } from './markdown-text.ts';
import type { RoundsTable } from './rounds.ts';

/** The Markdown section with speed, and speed per GB of memory, by condition; empty when nothing was timed. */
export function speedTable(summary: Summary): string {
  const rowsOf = (measure: Measure): string[][] =>
    summary.methods.flatMap((method) => [
      ...method[measure].map((speed) => [
        measure,
        armText(method, speed),
        countText(speed.length),
        String(speed.batch),
        rateText(speed.tokensPerSecond),
        speed.latencyMs.estimate.toFixed(1),
        `${speed.lowerQuartileMs.toFixed(1)} / ${speed.medianMs.toFixed(1)}`,
        `${speed.latencyMs.rounds} in ${speed.latencyMs.processes}`,
        speed.speedup === null ? '\u2013' : timedText(speed.speedup),
        costOf(speed),
      ]),
      ...method.unfit
        .filter((at) => at.measure === measure)
        .map((at) => [
          measure,
          armText(method, at),
          countText(at.length),
          String(at.batch),
          'does not fit',
          ...Array<string>(5).fill('\u2013'),
        ]),
    ]);
  const rows = [...rowsOf('decode'), ...rowsOf('prefill')];
  if (rows.length === 0) return '';
  const head = [
    '',
    'Method',
    'Context',
    'Batch',
    'Tokens/s',
    'ms',
    'lower quartile / median',
    'rounds in processes',
    `vs ${summary.baseline}`,
    'Tokens/s per GB',
  ];
  return `## Speed by condition\n\n${table(head, rows)}\n\nTokens/s, ms and ratios are of the typical time: the pseudomedian of the rounds, geometric mean over processes. A GB (1,000,000,000 bytes) is of weights, caches and workspace at their peak.`;
}

function armText(method: MethodSummary, { cache }: Pick<Speed, 'cache'>): string {
  return method.label + (cache === 'dynamic' ? ' (growing cache)' : '');
}

function rateText({ estimate, low, high }: Timed): string {
  return `${countText(estimate)}${low === null || high === null ? '' : ` [${countText(low)}, ${countText(high)}]`}`;
}

function costOf(speed: Speed): string {
  const cost = tokensPerSecondPerGB(speed);
  return cost === null ? '\u2013' : costText(cost);
}

/** The Markdown section with every round beside the medians; empty when nothing was timed. */
export function roundsSection({ head, rows, cut }: RoundsTable): string {
  if (rows.length === 0) return '';
  return `## All rounds in ms\n\n${table(head, rows)}${cut ? '\n\nThe first rounds of each process; csv/timings.csv has all.' : ''}`;
}

/** The Markdown section with KV memory by length; empty when no sample was scored. */
export function memoryTable(summary: Summary): string {
  const rows = summary.methods.flatMap((method) =>
    method.kvBytes.map((at) => [
      method.label,
      countText(at.length),
      bytesText(at.planned),
      bytesText(at.resident),
      at.ratioToBaseline === null ? '\u2013' : percent(at.ratioToBaseline, 1),
      String(at.n),
    ]),
  );
  return rows.length === 0
    ? ''
    : `## KV memory per sequence\n\n${table(['Method', 'Tokens', 'Planned', 'Resident', `of ${summary.baseline}`, 'n'], rows)}`;
}
