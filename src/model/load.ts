import { existsSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { invalidArgument } from '../core/errors.ts';
import { contentHash, sha256, sha256File } from '../core/hash.ts';
import { readJson } from '../core/json-file.ts';
import type { Backend, FloatDType } from '../native/backend.ts';
import { chooseActivationDType } from './activation-dtype.ts';
import { ChatTemplate } from './chat-template.ts';
import { Checkpoint, checkpointFiles } from './checkpoint.ts';
import { refuseUnusedTensors, requireNeededTensors } from './checkpoint-fit.ts';
import { type ModelConfig, parseModelConfig, readModelConfig } from './config.ts';
import { DummyWeights } from './dummy-weights.ts';
import { LanguageModel, requireTokenizer } from './language-model.ts';
import { PRESETS } from './presets.ts';
import { Tokenizer } from './tokenizer.ts';
import { EMBEDDING } from './weight-names.ts';
import type { WeightSource } from './weight-source.ts';
import { loadWeights, type WeightProgress } from './weights.ts';

const DUMMY = 'dummy:';
/** Part of a dummy's hash; raised when its numbers change. */
const DUMMY_VERSION = 2;

export interface LoadOptions {
  /** A Hugging Face folder; or `dummy:<folder, config.json, or preset>` for deterministic random weights. */
  readonly path: string;
  readonly backend: Backend;
  /** Storage of the matrices; default: what the checkpoint stores (bf16 for dummies). */
  readonly weightDType?: FloatDType;
  /** Default: the weights' dtype where the backend takes 16-bit activations, else f32. */
  readonly activationDType?: FloatDType;
  readonly onProgress?: (progress: WeightProgress) => void;
}

/**
 * Loads a model onto a backend. Host memory stays at a few MiB whatever the model's size, with at most two shards open: a checkpoint is
 * streamed in chunks of rows, a dummy is made on the backend.
 * @throws MoaError NOT_FOUND, INVALID_FILE, UNSUPPORTED (architecture, dtypes, activation: names what is supported), INVALID_ARGUMENT (dtypes
 * that do not go together), OUT_OF_MEMORY.
 */
export async function loadModel(options: LoadOptions): Promise<LanguageModel> {
  const located = options.path.startsWith(DUMMY) ? locateDummy(options) : await locateCheckpoint(options.path);
  const { config, folder, name, source, weightsHash } = located;
  const { backend, onProgress } = options;
  try {
    const weightDType = options.weightDType ?? source.describe(EMBEDDING).dtype;
    const activationDType = chooseActivationDType({ backend, weightDType, asked: options.activationDType });
    const tokenizer = folder !== null && existsSync(join(folder, 'tokenizer.json')) ? Tokenizer.read(folder) : null;
    const chatTemplate = folder === null ? null : ChatTemplate.read(folder);
    const weights = await loadWeights({ config, source, backend, dtype: weightDType, onProgress });
    return new LanguageModel({ name, config, backend, activationDType, weights, weightsHash, tokenizer, chatTemplate });
  } finally {
    await source.close();
  }
}

/** sha256 that `loadModel` would give the model, without a backend: for plans and dry runs. Errors as `loadModel`. */
export async function modelHash(path: string): Promise<string> {
  return path.startsWith(DUMMY) ? dummyHash(locateConfig(path).config) : checkpointHash(path);
}

/** The configuration of a model path as `loadModel` takes it, without loading anything else. Errors as `loadModel`. */
export function modelConfig(path: string): ModelConfig {
  return path.startsWith(DUMMY) ? locateConfig(path).config : readModelConfig(path);
}

/** As `modelConfig`, when the weights that it describes are there too; they are not read. Errors as `loadModel`. */
export function locatedModelConfig(path: string): ModelConfig {
  const config = modelConfig(path);
  if (!path.startsWith(DUMMY)) checkpointFiles(path);
  return config;
}

/** The parts of a model that make prompts, without its weights: for checks before anything else is loaded. */
export interface ModelText {
  readonly name: string;
  readonly tokenizer: Tokenizer;
  readonly chatTemplate: ChatTemplate | null;
}

/** Tokenizer and template of a model path as `loadModel` takes it. Errors as `loadModel`; UNSUPPORTED where there is no tokenizer. */
export function modelText(path: string): ModelText {
  const isDummy = path.startsWith(DUMMY);
  const folder = isDummy ? locateConfig(path).folder : path;
  const name = isDummy ? path : basename(resolve(path));
  const tokenizer = folder !== null && existsSync(join(folder, 'tokenizer.json')) ? Tokenizer.read(folder) : null;
  return { name, tokenizer: requireTokenizer(name, tokenizer), chatTemplate: folder === null ? null : ChatTemplate.read(folder) };
}

interface Located {
  readonly config: ModelConfig;
  readonly folder: string | null;
  readonly name: string;
  readonly source: WeightSource;
  readonly weightsHash: string;
}

async function locateCheckpoint(folder: string): Promise<Located> {
  const config = readModelConfig(folder);
  const source = await Checkpoint.open(folder);
  refuseUnusedTensors(source.names, config, folder);
  requireNeededTensors(source, config);
  return { config, folder, name: basename(resolve(folder)), source, weightsHash: await checkpointHash(folder) };
}

function locateDummy(options: LoadOptions): Located {
  const { config, folder } = locateConfig(options.path);
  const source = new DummyWeights({ config, backend: options.backend, dtype: options.weightDType ?? 'bf16', seed: 'moabench-dummy' });
  return { config, folder, name: options.path, source, weightsHash: dummyHash(config) };
}

function locateConfig(path: string): { readonly config: ModelConfig; readonly folder: string | null } {
  const what = path.slice(DUMMY.length);
  if (Object.hasOwn(PRESETS, what)) return { config: parseModelConfig(PRESETS[what], `the preset ${what}`), folder: null };
  const stat = statSync(what, { throwIfNoEntry: false });
  if (what === '' || stat === undefined) {
    throw invalidArgument(`a folder, a config.json or one of the presets ${Object.keys(PRESETS).join(', ')}`, DUMMY, what);
  }
  if (stat.isDirectory()) return { config: readModelConfig(what), folder: what };
  return { config: parseModelConfig(readJson(what), what), folder: dirname(what) };
}

/** Of config.json and every weight file, each by its own sha256, in name order. */
async function checkpointHash(folder: string): Promise<string> {
  const hashes: string[] = [];
  for (const file of [join(folder, 'config.json'), ...checkpointFiles(folder)]) hashes.push(await sha256File(file));
  return sha256(hashes.join('\n'));
}

function dummyHash(config: ModelConfig): string {
  return sha256(`${DUMMY}${DUMMY_VERSION}:${contentHash(config)}`);
}
