// Tables and sentences of released suites. They are made from records, by the same code that makes the reports.

import { headline } from '../../dist/report/headline.js';
import { headlineText } from '../../dist/report/headline-text.js';
import { readRun } from '../../dist/run/read-run.js';
import { summarize } from '../../dist/summary/summarize.js';
import { table } from './markdown.mjs';
import { MissingRecord, newest, readRecord, requireFormat } from './released.mjs';

/** The summary of the newest release of a suite, made from its records as `moabench report` makes it. @throws MissingRecord where they cannot be read. */
export function releasedSummary(root, name) {
  const release = newest(root, name, 'records.jsonl');
  try {
    return { release, summary: summarize(readRun(release.path)) };
  } catch (cause) {
    throw new MissingRecord(`Expected a run in ${release.shown} but it cannot be read: ${cause.message}`, { cause });
  }
}

/**
 * The headline table of a release. `methods` and `columns` choose among its rows and columns, whose order stays. `from` is the path from
 * the document's folder to the root.
 */
export function headlineTable({ release, summary }, { methods, columns, from = '' } = {}) {
  const { columns: all, rows } = headline(summary);
  const chosen = all.map((column, index) => ({ ...column, index })).filter(({ name }) => columns === undefined || columns.includes(name));
  for (const name of columns ?? [])
    requireFormat(
      chosen.some((column) => column.name === name),
      release,
      'records.jsonl',
      `a column ${name}`,
    );
  for (const id of methods ?? [])
    requireFormat(
      rows.some((row) => row.id === id),
      release,
      'records.jsonl',
      `a method ${id}`,
    );
  const lines = rows
    .filter((row) => methods === undefined || methods.includes(row.id))
    .map((row) => [row.label, ...chosen.map(({ index }) => row.cells[index])]);
  const meanings = chosen.filter(({ title }) => title !== '').map(({ name, title }) => `${name}: ${title}.`);
  const source = `${meanings.join(' ')} Brackets are 95% intervals. From [${release.shown}](${from}${release.shown}/report.md).`;
  return `${table(['', ...chosen.map(({ name }) => name)], lines)}\n\n${source}`;
}

/** What a released run printed at its end: the whole table, and the first `sentences` lines of what follows it. */
export function terminalBlock(root, name, { sentences }) {
  const found = releasedSummary(root, name);
  const [head, rest = ''] = splitOnce(headlineText(found.summary), '\n\n');
  const lines = rest.split('\n');
  const left = lines.length - sentences;
  const more = left > 0 ? [`(and ${left} more lines: [report](${found.release.shown}/report.md))`] : [];
  return [`\`\`\`\n${head}\n\n${lines.slice(0, sentences).join('\n')}\n\`\`\``, ...more].join('\n');
}

function splitOnce(text, separator) {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + separator.length)];
}

const GPU_SUITES = ['cuda-vicuna-7b', 'cuda-vicuna-13b', 'cuda-llama-3-8b'];
const GPU_COLUMNS = ['Decode speed', 'Prefill speed', 'Largest batch'];

/** Speed and memory, on a GPU, of models with the shapes of real ones: one table per suite. */
export function gpuSuites(root) {
  return GPU_SUITES.map((name) => {
    const found = releasedSummary(root, name);
    return `### ${name}\n\n${found.summary.description}\n\n${headlineTable(found, { columns: GPU_COLUMNS, from: '../' })} On ${deviceOf(found)}.`;
  }).join('\n\n');
}

/** The GPU's name, or the whole description of another backend. */
function deviceOf({ release }) {
  const description = readRecord(release, 'environment.json').backend?.description ?? 'a device that the environment does not name';
  return /^cuda: (.*?) \(/.exec(description)?.[1] ?? description;
}

/** The verdicts of a suite, as a list of sentences. */
export function verdicts(root, name) {
  return releasedSummary(root, name)
    .summary.verdicts.map((sentence) => `- ${sentence}`)
    .join('\n');
}
