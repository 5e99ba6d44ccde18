// Writes dist/vendor/tfjs.js, the TensorFlow.js that src/reference computes with: its core, all gradients and the pure JavaScript kernels, in one
// module. The published packages cannot be used as they are: the builds of tfjs-core for Node have no gradients, its single modules import each
// other without file extensions, which Node refuses, and @tensorflow/tfjs, which has them, brings 275 MB of layers, converters and WebGL.
// dist/vendor/tfjs.LICENSES.txt has the licences of what is in it.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';

const root = fileURLToPath(new URL('..', import.meta.url));
const output = join(root, 'dist', 'vendor', 'tfjs.js');
const entry = join(root, 'tfjs-entry.js');
const ENTRY_SOURCE = `
import '@tensorflow/tfjs-core/dist/register_all_gradients.js';
import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js';
import '@tensorflow/tfjs-backend-cpu';
export * from '@tensorflow/tfjs-core';
`;

/** The folders of the packages that these modules are from. */
function packagesOf(modules) {
  const folders = modules.flatMap((id) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id)?.[0] ?? []);
  return [...new Set(folders)].sort();
}

function licenceOf(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const file = readdirSync(folder).find((entry) => entry.startsWith('LICENSE'));
  const readme = join(folder, 'README.md');
  // Where a package has no file of its own, its readme has the text.
  const inReadme = existsSync(readme) ? /^(?:LICENSE|License).*[\s\S]*/m.exec(readFileSync(readme, 'utf8'))?.[0] : undefined;
  const text = file === undefined ? inReadme : readFileSync(join(folder, file), 'utf8');
  return `${name} ${version} (${license})\n\n${text ?? 'The text of this licence is in LICENSE of this package.'}`.trim();
}

const { output: chunks } = await build({
  input: entry,
  platform: 'node',
  resolve: { mainFields: ['module', 'main'] }, // single modules of each package, so that the kernels register with the core that is exported
  external: ['node-fetch'], // only downloads models
  plugins: [{ name: 'entry', resolveId: (id) => (id === entry ? id : null), load: (id) => (id === entry ? ENTRY_SOURCE : null) }],
  output: {
    file: output,
    format: 'es',
    banner: '// TensorFlow.js and what it needs, bundled; tfjs.LICENSES.txt names the packages and their licences.',
  },
});
const licences = packagesOf(chunks.flatMap((chunk) => Object.keys(chunk.modules))).map(licenceOf);
writeFileSync(join(dirname(output), 'tfjs.LICENSES.txt'), `${licences.join('\n\n----\n\n')}\n`);
