import { countText, numbered } from '../../summary/phrases.ts';
import { tablePath } from '../run-files.ts';
import type { SampleBrowser } from '../samples.ts';
import { html, type Markup } from './markup.ts';

/** The static part of the sample browser: what each method lost and gained, the filters, and the place in which the page's script lists the answers. */
export function sampleSection(
  browser: SampleBrowser,
  { recordsFile, hasLosses }: { readonly recordsFile: string; readonly hasLosses: boolean },
): Markup {
  const { questions, total } = browser;
  const all = html`<a href="${tablePath('samples')}"><code>${tablePath('samples')}</code></a>`;
  const leftOut =
    total > questions.length
      ? html`<p class="note">The page has ${countText(questions.length)} of ${numbered(total, 'question')}, those first on which methods differ, the others spread evenly; the answers to all are in ${all}, with the ends of their prompts in <a href="${recordsFile}"><code>${recordsFile}</code></a>.</p>`
      : html`<p class="note">All ${numbered(total, 'question')}; the answers are also in ${all}.${hasLosses ? html` Documents whose loss was taken have no answer: <a href="${tablePath('losses')}"><code>${tablePath('losses')}</code></a>.` : null}</p>`;
  return html`<p>Every question with the answer of every method beside the reference. <b class="lost">Lost</b>: scored lower than with ${browser.baseline}; <b class="gained">gained</b>: higher.</p>${leftOut}${changesTable(browser)}
<noscript><p>Looking through the answers needs JavaScript; they are in ${all}.</p></noscript>
${filters(browser)}
<p class="found" role="status"></p>
<div class="answers"></div>
<button type="button" class="more" hidden>Show more</button>`;
}

function changesTable({ changes }: SampleBrowser): Markup | null {
  if (changes.length === 0) return null;
  const pick = (method: string, outcome: string, count: number): Markup =>
    count === 0
      ? html`0`
      : html`<button type="button" class="pick" data-method="${method}" data-outcome="${outcome}" aria-label="Show the ${numbered(count, 'question')} that ${method} ${outcome}">${countText(count)}</button>`;
  const rows = changes.map(
    ({ method, questions, lost, gained }) =>
      html`<tr><th scope="row">${method}</th><td>${countText(questions)}</td><td>${pick(method, 'lost', lost)}</td><td>${pick(method, 'gained', gained)}</td></tr>`,
  );
  return html`<div class="scroll"><table class="changes"><thead><tr><th scope="col">Method</th><th scope="col">Questions</th><th scope="col">Lost</th><th scope="col">Gained</th></tr></thead><tbody>${rows}</tbody></table></div>`;
}

const OUTCOMES = [
  ['', 'any'],
  ['lost', 'lost'],
  ['gained', 'gained'],
  ['wrong', 'wrong or in part'],
  ['right', 'wholly right'],
] as const;

function filters({ methods, questions }: SampleBrowser): Markup {
  const tasks = [...new Set(questions.map(({ task }) => task))];
  const lengths = [...new Set(questions.map(({ length }) => length))].sort((a, b) => a - b);
  const option = (value: string, text: string): Markup => html`<option value="${value}">${text}</option>`;
  const select = (name: string, label: string, options: readonly Markup[]): Markup =>
    html`<label>${label} <select data-filter="${name}">${options}</select></label>`;
  return html`<div class="filters" role="search" aria-label="Filter the answers">
${select('method', 'Method', [option('', 'any'), ...methods.map(({ label }) => option(label, label))])}
${select(
  'outcome',
  'Outcome',
  OUTCOMES.map(([value, text]) => option(value, text)),
)}
${select('task', 'Task', [option('', 'any'), ...tasks.map((task) => option(task, task))])}
${select('length', 'Length', [option('', 'any'), ...lengths.map((length) => option(String(length), `${countText(length)} tokens`))])}
<label class="text">Text <input type="search" data-filter="text" placeholder="in prompts and answers"></label>
</div>`;
}
