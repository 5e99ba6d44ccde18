import { describe, MoaError } from '../../../core/errors.ts';
import type { ModelConfig } from '../config.ts';
import { expectedShape, LM_HEAD, layerOf, neededTensors } from './weight-names.ts';
import type { WeightSource } from './weight-source.ts';

/** Buffers that old checkpoints store and that are computed from config.json here. */
const COMPUTED_BUFFER = /(^|\.)rotary_emb\.(inv_freq|cos_cached|sin_cached)$/;

/**
 * Refuses a checkpoint without a tensor that the configuration needs, or with one of another shape or of a dtype that is not read.
 * @throws MoaError INVALID_FILE or UNSUPPORTED.
 */
export function requireNeededTensors(source: Pick<WeightSource, 'describe'>, config: ModelConfig): void {
  for (const name of neededTensors(config)) {
    const expected = expectedShape(config, name);
    const { shape } = source.describe(name);
    if (expected?.length === shape.length && shape.every((n, i) => n === expected[i])) continue;
    throw new MoaError(`Expected shape ${describe(expected)} for tensor ${name} but received ${describe(shape)}`, {
      code: 'INVALID_FILE',
      hint: 'The weights do not fit config.json.',
    });
  }
}

/**
 * Refuses a checkpoint with tensors that the configuration leaves out: further layers, biases of a configuration without them, norms of heads.
 * The model would run without them and answer nonsense.
 * @throws MoaError INVALID_FILE naming the first tensor.
 */
export function refuseUnusedTensors(names: Iterable<string>, config: ModelConfig, folder: string): void {
  const unused = [...names].filter((name) => !isUsed(name, config)).sort(byLayer);
  const first = unused[0];
  if (first === undefined) return;
  const isFurtherLayer = (layerOf(first) ?? -1) >= config.layers;
  const what = isFurtherLayer ? `tensors of ${config.layers} layers` : 'only tensors that config.json has a use for';
  const others = unused.length === 1 ? '' : ` (and ${unused.length - 1} more)`;
  throw new MoaError(`Expected ${what} in ${folder} but received ${describe(first)}${others}`, {
    code: 'INVALID_FILE',
    hint: isFurtherLayer
      ? `The weights have ${1 + layersOf(unused).reduce((a, b) => Math.max(a, b), 0)} layers; num_hidden_layers in config.json is ${config.layers}.`
      : 'The weights belong to another config.json (attention_bias, mlp_bias, architectures), or to a model that is not implemented here.',
  });
}

function isUsed(name: string, config: ModelConfig): boolean {
  if (COMPUTED_BUFFER.test(name) && (layerOf(name) ?? 0) < config.layers) return true;
  // A copy of the embedding that tied checkpoints may store.
  if (name === LM_HEAD && config.tiedEmbeddings) return true;
  return expectedShape(config, name) !== undefined;
}

function byLayer(a: string, b: string): number {
  return (layerOf(a) ?? -1) - (layerOf(b) ?? -1);
}

function layersOf(names: readonly string[]): readonly number[] {
  return names.map((name) => layerOf(name) ?? 0);
}
