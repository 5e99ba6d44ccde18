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
  /** What would give more. */
  readonly hint?: string;
}

export interface LoadedTfjs extends TfjsFlavour {
  readonly tf: Tf;
}

const NATIVE_PACKAGE: string = '@tensorflow/tfjs-node-gpu';
const DOCUMENT = 'docs/tfjs-node-gpu.md says how it is built, where it runs, and what stops it.';
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
  const { tf: _, ...flavour } = await loadTfjs();
  return flavour;
}

async function load(): Promise<LoadedTfjs> {
  const native = await importNative();
  if ('tf' in native) {
    const { tf } = native;
    tf.enableProdMode();
    await tf.ready();
    return { tf, flavour: 'tfjs-node-gpu', version: tf.version_core, ...deviceOf(tf) };
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
  return { tf, flavour: 'tfjs-cpu', version: tf.version_core, ...native };
}

/** Native TensorFlow goes on without a word on the CPU where it finds no GPU that it can use. */
function deviceOf(native: Tf): Pick<TfjsFlavour, 'reason' | 'hint'> {
  const backend = native.backend() as unknown as { readonly isUsingGpuDevice?: boolean };
  if (backend.isUsingGpuDevice === true) return { reason: `${NATIVE_PACKAGE} is installed, and runs on the GPU` };
  return {
    reason: `${NATIVE_PACKAGE} is installed, and runs on the CPU: its TensorFlow found no GPU with the CUDA that it was built for`,
    hint: `PyPI's tensorflow 2.20.0 takes an NVIDIA GPU and the CUDA 12 libraries of tensorflow[and-cuda]. ${DOCUMENT}`,
  };
}

/** The native package, or one sentence on why there is none. */
async function importNative(): Promise<{ readonly tf: Tf } | Pick<TfjsFlavour, 'reason' | 'hint'>> {
  const require = createRequire(import.meta.url);
  try {
    require.resolve(NATIVE_PACKAGE);
  } catch {
    return {
      reason: `${NATIVE_PACKAGE} (optional) is not installed`,
      hint: `Nothing is missing; native TensorFlow is faster. ${DOCUMENT}`,
    };
  }
  // Native TensorFlow logs device discovery to stderr, and multiplies in TF32 unless told otherwise: a reference needs full float32.
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';
  process.env.NVIDIA_TF32_OVERRIDE ??= '0';
  // The package calls a function that Node had until release 22.
  const util = require('node:util') as { isNullOrUndefined?: (value: unknown) => boolean };
  util.isNullOrUndefined ??= (value) => value === null || value === undefined;
  try {
    const imported = (await import(NATIVE_PACKAGE)) as { readonly default?: Tf } & Tf;
    return { tf: imported.default ?? imported };
  } catch (error) {
    forgetCore();
    const message = error instanceof Error ? error.message : String(error);
    return {
      reason: `${NATIVE_PACKAGE} is installed but does not load: ${message.split('\n')[0]}`,
      hint: `Its addon is built by scripts/build-tfjs-node-gpu.mjs of this package. ${DOCUMENT}`,
    };
  }
}

/**
 * Cores of TensorFlow.js share engine and kernels through these globals. The package that did not load has filled them with kernels of the same names as
 * the bundle's; the bundle begins with its own.
 */
function forgetCore(): void {
  for (const name of ['_tfengine', '_tfGlobals']) Reflect.deleteProperty(globalThis, name);
}
