import { createRequire } from 'node:module';
import type * as TensorFlow from '@tensorflow/tfjs';

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
      reason: `${NATIVE_PACKAGE} is installed`,
    };
  }
  const tf = await import('@tensorflow/tfjs');
  // Production mode drops the banner that the cpu backend prints at its first op.
  tf.enableProdMode();
  await tf.setBackend('cpu');
  await tf.ready();
  return { tf, flavour: 'tfjs-cpu', version: tf.version_core, reason: native };
}

/** The native package, or one sentence on why there is none. */
async function importNative(): Promise<Tf | string> {
  try {
    createRequire(import.meta.url).resolve(NATIVE_PACKAGE);
  } catch {
    return `${NATIVE_PACKAGE} (optional) is not installed`;
  }
  // Native TensorFlow logs device discovery to stderr, and multiplies in TF32 unless told otherwise: a reference needs full float32.
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';
  process.env.NVIDIA_TF32_OVERRIDE ??= '0';
  try {
    const imported = (await import(NATIVE_PACKAGE)) as { readonly default?: Tf } & Tf;
    return imported.default ?? imported;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return `${NATIVE_PACKAGE} is installed but does not load: ${message.split('\n')[0]}`;
  }
}
