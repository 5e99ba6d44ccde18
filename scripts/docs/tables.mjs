// Every generated table by its name.
import { join } from 'node:path';
import { headline } from '../../dist/report/headline.js';
import { headlineText } from '../../dist/report/headline-text.js';
import { cudaKernels } from './cuda-kernels.mjs';
import { cudaSteps } from './cuda-steps.mjs';
import { table } from './markdown.mjs';
import { newest, readJson } from './released.mjs';

/** The headline table of a released run, as its own report has it. */
function headlineOf(name) {
  return (root) => {
    const release = newest(root, name);
    const { columns, rows } = headline(readJson(join(release.path, 'summary.json')));
    const lines = rows.map((row) => [row.label, ...row.cells]);
    return `${table(['', ...columns.map((column) => column.name)], lines)}\n\n([${release.shown}](${release.shown}/report.md))`;
  };
}

/** What a released run printed last. */
function terminalOf(name) {
  return (root) => `\`\`\`\n${headlineText(readJson(join(newest(root, name).path, 'summary.json')))}\n\`\`\``;
}

export const TABLES = {
  reference: headlineOf('reference'),
  'cuda-reference': headlineOf('cuda-reference'),
  quick: terminalOf('quick'),
  'cuda-kernels': cudaKernels,
  'cuda-steps': cudaSteps,
};
