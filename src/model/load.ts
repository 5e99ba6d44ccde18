import { statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { invalidArgument, MoaError } from '../core/errors.ts';
import { contentHash, sha256, sha256File } from '../core/hash.ts';
import type { Backend, FloatDType } from '../native/backend.ts';
import { chooseActivationDType } from './format/activation-dtype.ts';
import { modelPath } from './format/bundled.ts';
import { type ModelConfig, parseModelConfig, readModelConfig } from './format/config.ts';
import { modelFile, readConfigFile } from './format/model-files.ts';
import { PRESETS } from './format/presets.ts';
import { ChatTemplate, type TemplateSettings } from './format/template/chat-template.ts';
import { Tokenizer } from './format/tokenizer/tokenizer.ts';
import { Checkpoint, checkpointFiles } from './format/weights/checkpoint.ts';
import { refuseUnusedTensors, requireNeededTensors } from './format/weights/checkpoint-fit.ts';
import { DummyWeights } from './format/weights/dummy-weights.ts';
import { requireMemoryFor } from './format/weights/weight-memory.ts';
import { EMBEDDING } from './format/weights/weight-names.ts';
import type { WeightSource } from './format/weights/weight-source.ts';
import { loadWeights, type WeightProgress } from './format/weights/weights.ts';
import { LanguageModel } from './inference/language-model.ts';

const DUMMY = 'dummy:';
/** Part of a dummy's hash; raised when the numbers of dummies change. */
const DUMMY_VERSION = 2;

export interface TextOptions {
  /** `required`: prompts will be made, and a model without a tokenizer or a chat template is refused before its weights load. */
  readonly text?: 'required' | 'if there';
  readonly template?: TemplateSettings;
}

/** Which model is loaded, where to, and in which dtypes. */
export interface LoadOptions extends TextOptions {
  /** A Hugging Face folder; `bundled:reference`, the model in the package; or `dummy:<folder, config.json, or preset>` for deterministic random weights. */
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
  const located = options.path.startsWith(DUMMY) ? locateDummy(options) : await locateCheckpoint(modelPath(options.path));
  const { config, folder, name, source, weightsHash } = located;
  const { backend, onProgress } = options;
  try {
    const weightDType = options.weightDType ?? source.describe(EMBEDDING).dtype;
    const activationDType = chooseActivationDType({ backend, weightDType, asked: options.activationDType });
    const { tokenizer, chatTemplate } = readText(folder, name, options);
    requireMemoryFor(config, weightDType, backend);
    const weights = await loadWeights({ config, source, backend, dtype: weightDType, onProgress });
    return new LanguageModel({ name, config, backend, activationDType, weights, weightsHash, tokenizer, chatTemplate });
  } finally {
    await source.close();
  }
}

/** The `weightsHash` (sha256) that `loadModel` would give the model. It needs no backend; for plans and dry runs. Errors as `loadModel`. */
export async function modelHash(path: string): Promise<string> {
  return path.startsWith(DUMMY) ? dummyHash(locateConfig(path).config) : checkpointHash(modelPath(path));
}

/** The configuration of a model path as `loadModel` takes it, without loading anything else. Errors as `loadModel`. */
export function modelConfig(path: string): ModelConfig {
  return path.startsWith(DUMMY) ? locateConfig(path).config : readModelConfig(modelPath(path));
}

/** Where a model's tokenizer and template are looked for; null for a preset, which has none. Errors as `loadModel`. */
export function modelFolder(path: string): string | null {
  return path.startsWith(DUMMY) ? locateConfig(path).folder : modelPath(path);
}

/**
 * The configuration and the text parts of a model path, after a check that `loadModel` would find all that it needs: weights whose headers
 * fit the configuration, and, where required, a tokenizer and a chat template. No weights are read. Errors as `loadModel`.
 */
export async function checkModel(
  path: string,
  options: TextOptions = {},
): Promise<{ readonly config: ModelConfig; readonly text: ModelText }> {
  if (path.startsWith(DUMMY)) {
    const { config, folder } = locateConfig(path);
    return { config, text: readText(folder, path, options) };
  }
  const { config, folder, name, source } = await openCheckpoint(modelPath(path));
  await source.close();
  return { config, text: readText(folder, name, options) };
}

/** The parts of a model that make prompts, without its weights: for checks before anything else is loaded. Each is null where there is none. */
export interface ModelText {
  readonly name: string;
  readonly tokenizer: Tokenizer | null;
  readonly chatTemplate: ChatTemplate | null;
}

function readText(folder: string | null, name: string, { text, template = {} }: TextOptions): ModelText {
  const tokenizer = folder !== null && modelFile(folder, 'tokenizer.json') !== null ? Tokenizer.read(folder) : null;
  const chatTemplate = folder === null ? null : ChatTemplate.read(folder, template);
  if (text === 'required' && tokenizer === null) throw missingText(name, 'a tokenizer.json', 'Put one beside config.json.');
  if (text === 'required' && chatTemplate === null) {
    throw missingText(name, 'a chat template', 'Add chat_template.jinja beside config.json.');
  }
  return { name, tokenizer, chatTemplate };
}

function missingText(name: string, what: string, hint: string): MoaError {
  return new MoaError(`Expected ${what} for the model ${name}, whose prompts the suite makes, but its folder has none`, {
    code: 'UNSUPPORTED',
    hint,
  });
}

interface Located {
  readonly config: ModelConfig;
  readonly folder: string | null;
  readonly name: string;
  readonly source: WeightSource;
  readonly weightsHash: string;
}

async function locateCheckpoint(folder: string): Promise<Located> {
  return { ...(await openCheckpoint(folder)), weightsHash: await checkpointHash(folder) };
}

async function openCheckpoint(folder: string): Promise<Omit<Located, 'weightsHash' | 'source'> & { readonly source: Checkpoint }> {
  const config = readModelConfig(folder);
  const source = await Checkpoint.open(folder);
  refuseUnusedTensors(source.names, config, folder);
  requireNeededTensors(source, config);
  return { config, folder, name: basename(resolve(folder)), source };
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
  return { config: parseModelConfig(readConfigFile(what), what), folder: dirname(what) };
}

/** The hash of a checkpoint: sha256 over the sha256 of config.json and of every weight file, in name order. */
async function checkpointHash(folder: string): Promise<string> {
  const hashes: string[] = [];
  for (const file of [modelFile(folder, 'config.json') ?? join(folder, 'config.json'), ...checkpointFiles(folder)])
    hashes.push(await sha256File(file));
  return sha256(hashes.join('\n'));
}

function dummyHash(config: ModelConfig): string {
  return sha256(`${DUMMY}${DUMMY_VERSION}:${contentHash(config)}`);
}
