// Imports flow the way the data flows: a folder of src/ may import only from folders listed before it (ARCHITECTURE.md).
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const order = [
  'core',
  'suite',
  'native',
  'reference',
  'conformance',
  'data',
  'plan',
  'model',
  'peers',
  'compress',
  'evaluate',
  'measure',
  'records',
  'summary',
  'report',
  'run',
  'cli',
];
// Pairs of stages that must not import each other, although one is listed before the other.
const strangers = [['evaluate', 'measure']];
const src = fileURLToPath(new URL('../src', import.meta.url));

function* sources(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* sources(path);
    else if (entry.name.endsWith('.ts')) yield path;
  }
}

const problems = [];
for (const file of sources(src)) {
  const name = relative(src, file);
  const layer = name.includes('/') ? name.split('/')[0] : 'index';
  if (layer !== 'index' && !order.includes(layer))
    problems.push(`src/${name}: folder ${layer} is not in the order of scripts/check-layers.mjs`);
  const text = readFileSync(file, 'utf8');
  if (/\.node['"]/.test(text) && layer !== 'native') problems.push(`src/${name}: only src/native may load the addon`);
  for (const match of text.matchAll(/(?:from|import)\s*\(?\s*['"](\.[^'"]+)['"]/g)) {
    const target = relative(src, normalize(join(dirname(file), match[1])));
    if (target.startsWith('..') || layer === 'index') continue;
    const other = target.split('/')[0];
    if (order.indexOf(other) > order.indexOf(layer)) problems.push(`src/${name} imports ${target}: ${other} comes after ${layer}`);
    for (const pair of strangers) {
      if (pair.includes(layer) && pair.includes(other) && layer !== other)
        problems.push(`src/${name} imports ${target}: ${layer} and ${other} do not know each other`);
    }
  }
}
if (problems.length > 0) {
  console.error(problems.join('\n'));
  process.exit(1);
}
console.log(`layers: imports follow ${order.join(' -> ')}`);
