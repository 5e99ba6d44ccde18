import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type * as TensorFlow from '@tensorflow/tfjs-core';
// The types of methods such as tensor.add(other), which the bundle has.
import type {} from '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js';
import { MoaError } from '../core/errors.ts';

/** The TensorFlow.js module, whichever flavour was loaded. */
export type Tf = typeof TensorFlow;

/** Which TensorFlow.js runs the reference, and why not the other. */
export interface TfjsFlavour {
  /** `tfjs-node-gpu`: native TensorFlow (the optional peer dependency); `tfjs-cpu`: pure JavaScript. */
  readonly flavour: 'tfjs-node-gpu' | 'tfjs-cpu';
  readonly version: string;
  readonly reason: string;
}

export interface LoadedTfjs extends TfjsFlavour {
  readonly tf: Tf;
}

const NATIVE_PACKAGE: string = '@tensorflow/tfjs-node-gpu';
/** Made by scripts/bundle-tfjs.mjs; the same place from src/ and from dist/. */
const PURE_JAVASCRIPT = new URL('../../dist/vendor/tfjs.js', import.meta.url);
let loaded: Promise<LoadedTfjs> | undefined;

/** TensorFlow.js, imported on the first call (about a second) and kept: native when installed and loadable, else pure JavaScript. */
export function loadTfjs(): Promise<LoadedTfjs> {
  loaded ??= load();
  return loaded;
}

/** The flavour that `createTfjsBackend` uses on this machine, for `moabench doctor`. */
export async function tfjsFlavour(): Promise<TfjsFlavour> {
  const { flavour, version, reason } = await loadTfjs();
  return { flavour, version, reason };
}

async function load(): Promise<LoadedTfjs> {
  const native = await importNative();
  if (typeof native !== 'string') {
    native.enableProdMode();
    await native.ready();
    return {
      tf: native,
      flavour: 'tfjs-node-gpu',
      version: native.version_core,
      reason: `${NATIVE_PACKAGE} is installed, ${deviceOf(native)}`,
    };
  }
  if (!existsSync(PURE_JAVASCRIPT)) {
    throw new MoaError(`Expected TensorFlow.js at ${fileURLToPath(PURE_JAVASCRIPT)} but it has not been built`, {
      code: 'UNAVAILABLE',
      hint: 'In a checkout, run `npm run build:ts`.',
    });
  }
  const tf = (await import(PURE_JAVASCRIPT.href)) as Tf;
  // Production mode drops the banner that the cpu backend prints at its first op.
  tf.enableProdMode();
  await tf.setBackend('cpu');
  await tf.ready();
  return { tf, flavour: 'tfjs-cpu', version: tf.version_core, reason: native };
}

/** Native TensorFlow goes on without a word on the CPU where it finds no GPU that it can use. */
function deviceOf(native: Tf): string {
  const backend = native.backend() as unknown as { readonly isUsingGpuDevice?: boolean };
  return backend.isUsingGpuDevice === true ? 'on the GPU' : 'on the CPU: its TensorFlow found no GPU with the CUDA that it was built for';
}

/** The native package, or one sentence on why there is none. */
async function importNative(): Promise<Tf | string> {
  const require = createRequire(import.meta.url);
  try {
    require.resolve(NATIVE_PACKAGE);
  } catch {
    return `${NATIVE_PACKAGE} (optional) is not installed`;
  }
  // Native TensorFlow logs device discovery to stderr, and multiplies in TF32 unless told otherwise: a reference needs full float32.
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';
  process.env.NVIDIA_TF32_OVERRIDE ??= '0';
  // Its code calls a function that Node had until release 22.
  (require('node:util') as { isNullOrUndefined?: (value: unknown) => boolean }).isNullOrUndefined ??= (value) =>
    value === null || value === undefined;
  try {
    const imported = (await import(NATIVE_PACKAGE)) as { readonly default?: Tf } & Tf;
    return imported.default ?? imported;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return `${NATIVE_PACKAGE} is installed but does not load: ${message.split('\n')[0]}`;
  }
}
