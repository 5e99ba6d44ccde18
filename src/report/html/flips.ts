import type { RecordOf } from '../../records/record.ts';
import { countText, percent } from '../../summary/phrases.ts';
import { isCorrect } from '../../summary/retrieval.ts';
import type { Selection } from '../../summary/selection.ts';
import type { Summary } from '../../summary/summary.ts';
import { methodStyles } from '../chart.ts';
import { html, type Markup } from './markup.ts';

type Sample = RecordOf<'sample'>;

/** Examples a method; all are in csv/samples.csv. */
const EXAMPLES = 6;
const OUTPUT_CHARACTERS = 400;

interface Flip {
  readonly own: Sample;
  readonly baseline: Sample;
}

/** Samples that the baseline has right and a method has wrong, spread evenly over lengths and depths. */
function lostSamples(selection: Selection, method: string, baseline: string): Flip[] {
  const right = new Map(
    selection.samples
      .filter((sample) => sample.method === baseline && isCorrect(sample))
      .map((sample) => [`${sample.part}/${sample.sampleId}`, sample]),
  );
  return selection.samples.flatMap((own) => {
    const other = right.get(`${own.part}/${own.sampleId}`);
    return own.method !== method || other === undefined || isCorrect(own) || own.correct === null ? [] : [{ own, baseline: other }];
  });
}

/** The samples that compression lost, as text to read. null when none were lost. */
export function flipViewer(summary: Summary, selection: Selection): Markup | null {
  const groups = methodStyles(summary).flatMap(({ id, label, index }) => {
    const lost = id === summary.baseline ? [] : lostSamples(selection, id, summary.baseline);
    if (lost.length === 0) return [];
    const stride = Math.max(1, Math.ceil(lost.length / EXAMPLES));
    const examples = lost.filter((_, i) => i % stride === 0).slice(0, EXAMPLES);
    const swatch = html`<span class="swatch" style="--c:var(--m${index % 8})"></span>`;
    return [
      html`<details class="block"><summary>${swatch}${label}: ${lost.length} lost${lost.length > examples.length ? `, ${examples.length} shown` : ''}</summary>${examples.map((flip) => example(flip, label, summary.baseline))}</details>`,
    ];
  });
  if (groups.length === 0) return null;
  return html`<h2>Answers that compression lost</h2><p>Questions that ${summary.baseline} answers rightly and the method does not. All answers are in <code>csv/samples.csv</code>.</p>${groups}`;
}

function example({ own, baseline }: Flip, label: string, baselineId: string): Markup {
  const depth = own.depth === null ? '' : `, evidence at ${percent(own.depth)} of the context`;
  return html`<article class="flip"><h3>${own.task}, ${countText(own.length)} tokens${depth}</h3><dl><dt>Prompt ends</dt><dd>${tail(own.promptTail)}</dd><dt>Expected</dt><dd>${own.expected.join(' | ')}</dd><dt>${baselineId}</dt><dd class="right">${cut(baseline.output)}</dd><dt>${label}</dt><dd class="wrong">${cut(own.output)}</dd></dl></article>`;
}

function cut(text: string): string {
  return text.length <= OUTPUT_CHARACTERS ? text : `${text.slice(0, OUTPUT_CHARACTERS)}\u2026`;
}

function tail(text: string): string {
  return text.length <= OUTPUT_CHARACTERS ? text : `\u2026${text.slice(-OUTPUT_CHARACTERS)}`;
}
