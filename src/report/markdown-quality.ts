import { countText, numbered, percent, percentWithInterval, pointsWithInterval, pText, valueWithInterval } from '../summary/phrases.ts';
import type { Summary } from '../summary/summary.ts';
import { methodStyles } from './chart.ts';
import { table } from './markdown-text.ts';
import type { SampleBrowser } from './samples.ts';

/** The Markdown section with accuracy by length, and with comparisons of methods of equal memory; empty when no retrieval was scored. */
export function retrievalTables(summary: Summary): string {
  const styles = methodStyles(summary);
  const measured = summary.methods.filter((method) => method.retrieval !== null);
  const lengths = [...new Set(measured.flatMap((method) => method.retrieval?.lengths.map((at) => at.length) ?? []))].sort((a, b) => a - b);
  if (measured.length === 0) return '';
  const rows = measured.map((method) => [
    styles.find((style) => style.id === method.id)?.label ?? method.id,
    ...lengths.map((length) => {
      const at = method.retrieval?.lengths.find((candidate) => candidate.length === length);
      if (at === undefined) return '\u2013';
      return `${percentWithInterval(at.accuracy)} (${at.correct}/${at.accuracy.n}${at.whole ? '' : ', not complete'})`;
    }),
  ]);
  const contrasts = summary.contrasts.map(({ method, paired, leastBytesRatio }) => [
    method,
    paired.other,
    pointsWithInterval(paired.delta),
    percent(leastBytesRatio, 1),
    `${paired.gained} / ${paired.lost}`,
    String(paired.delta.n),
    paired.pHolm === null ? 'not tested' : pText(paired.pHolm),
  ]);
  const equal =
    contrasts.length === 0
      ? ''
      : `\n\nWith no more KV memory, all common lengths together (mid-p McNemar, Holm-adjusted over the ${numbered(contrasts.length, 'comparison')}):\n\n${table(['Method', 'against', 'Points', 'KV bytes, least', 'gained / lost', 'n', 'p'], contrasts)}`;
  return `## Retrieval by length\n\n${table(['Method', ...lengths.map((length) => `${countText(length)} tokens`)], rows)}${equal}`;
}

/** The Markdown section with scores by task; empty when no task was scored. */
export function scoresTable(summary: Summary): string {
  const scored = summary.methods.flatMap((method) => (method.scores === null ? [] : [{ label: method.label, scores: method.scores }]));
  if (scored.length === 0) return '';
  const names = [...new Set(scored.flatMap(({ scores }) => scores.tasks.map((task) => task.name)))];
  const rows = names.map((name) => {
    const cells = scored.map(({ scores }) => scores.tasks.find((task) => task.name === name));
    const most = Math.max(...cells.map((task) => task?.score.n ?? 0));
    return [
      name,
      String(most),
      ...cells.map((task) =>
        task === undefined
          ? '\u2013'
          : `${valueWithInterval(task.score, 3)}${task.whole ? '' : ` (${task.score.n} of ${most}, not complete)`}`,
      ),
    ];
  });
  const { used, leftOut } = summary.common.tasks;
  const mean = scored.map(({ scores }) => (scores.mean === null ? '\u2013' : valueWithInterval(scores.mean.score, 3)));
  const name = leftOut.length === 0 ? 'mean' : `mean of ${used.join(', ')}`;
  rows.push([name, String(Math.max(...scored.map(({ scores }) => scores.mean?.score.n ?? 0))), ...mean]);
  return `## Scores by task\n\n${table(['Task', 'n', ...scored.map(({ label }) => label)], rows)}`;
}

/** The Markdown section with what each method lost and gained; empty when no answers were compared. */
export function changesTable(browser: SampleBrowser | null): string {
  if (browser === null || browser.changes.length === 0) return '';
  const rows = browser.changes.map(({ method, questions, lost, gained }) => [method, questions, lost, gained].map(String));
  return `## Answers lost and gained\n\nScored lower and higher than with the baseline; report.html shows each beside its reference, csv/samples.csv has all.\n\n${table(['Method', 'Questions', 'Lost', 'Gained'], rows)}`;
}
