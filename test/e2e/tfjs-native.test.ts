import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const DIST = join(import.meta.dirname, '../../dist');
const SHOW = "import('./dist/reference/tfjs-load.js').then(async (m) => console.log(JSON.stringify(await m.tfjsFlavour())))";

/** What the built reference says of itself where this module is installed as @tensorflow/tfjs-node-gpu. */
function flavourWith(source: string) {
  const folder = mkdtempSync(join(tmpdir(), 'moabench-tfjs-'));
  const native = join(folder, 'node_modules/@tensorflow/tfjs-node-gpu');
  mkdirSync(native, { recursive: true });
  writeFileSync(join(native, 'package.json'), '{ "type": "module", "exports": "./index.js" }');
  writeFileSync(join(native, 'index.js'), source);
  cpSync(join(DIST, 'vendor/tfjs.js'), join(native, 'core.js')); // a core of its own, as the package has
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  for (const name of ['core', 'reference', 'vendor']) cpSync(join(DIST, name), join(folder, 'dist', name), { recursive: true });
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', SHOW], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  return { stderr, flavour: JSON.parse(stdout) };
}

const loads = (isUsingGpuDevice: boolean): string => `import './core.js';
export const version_core = '4.22.0', enableProdMode = () => {}, ready = async () => {}, backend = () => ({ isUsingGpuDevice: ${isUsingGpuDevice} });`;

test('native TensorFlow is used where it loads, and says whether it has a GPU', () => {
  expect(flavourWith(loads(true))).toEqual({
    stderr: '',
    flavour: { flavour: 'tfjs-node-gpu', version: '4.22.0', reason: '@tensorflow/tfjs-node-gpu is installed, and runs on the GPU' },
  });
  expect(flavourWith(loads(false)).flavour).toMatchObject({
    reason: expect.stringContaining('runs on the CPU: its TensorFlow found no GPU'),
    hint: expect.stringContaining('CUDA 12'),
  });
});

test('where it does not load, the bundle takes over without a word from the core that it left behind', () => {
  expect(flavourWith("import './core.js';\nthrow new Error('no addon at lib/napi-v8\\nmore');")).toEqual({
    stderr: '',
    flavour: {
      flavour: 'tfjs-cpu',
      version: '4.22.0',
      reason: '@tensorflow/tfjs-node-gpu is installed but does not load: no addon at lib/napi-v8',
      hint: expect.stringContaining('build-tfjs-node-gpu.mjs'),
    },
  });
});
