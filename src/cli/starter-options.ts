import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { MoaError } from '../core/errors.ts';
import { TASK_NAMES } from '../data/tasks.ts';
import { positionsOf } from '../model/format/positions.ts';
import { modelConfig } from '../model/load.ts';
import { parseSuite } from '../suite/load.ts';
import { didYouMean } from '../suite/spelling.ts';
import { STARTER_METHODS, STARTER_PARTS, type StarterMethod, type StarterPart, starterLengths, starterSuite } from '../suite/starter.ts';
import { integer, integers } from './parse.ts';

/** Options that stand for a suite; all but the model have defaults. */
export interface StarterFlags {
  readonly model?: string;
  readonly method?: readonly StarterMethod[];
  readonly density?: readonly number[];
  readonly lengths?: readonly number[];
  readonly tasks?: readonly StarterPart[];
  readonly samples?: number;
  readonly backend?: 'cpu' | 'cuda';
}

/** Names of the options above, to see whether any was given. */
export const STARTER_FLAGS = ['model', 'method', 'density', 'lengths', 'tasks', 'samples', 'backend'] as const;

const BACKENDS = ['cpu', 'cuda'] as const;

export function withStarterOptions(command: Command): Command {
  return command
    .option('--model <folder>', 'model: a Hugging Face folder, bundled:reference, or dummy:<config>')
    .option(
      '--method <names...>',
      `methods: ${STARTER_METHODS.join(', ')} (default: moa); dense and a uniform mask come with moa`,
      among(STARTER_METHODS),
    )
    .option('--density <shares...>', 'shares of the dense KV bytes, in (0, 1] (default: 0.5)', densities)
    .option('--lengths <tokens...>', 'context lengths N (default: a quarter, a half and the whole of 4096)', integers)
    .option('--tasks <kinds...>', `what is measured: ${STARTER_PARTS.join(', ')} (default: all)`, among(STARTER_PARTS))
    .option('--samples <n>', 'retrieval samples of each length, half as many of other tasks (default: 12)', integer)
    .option('--backend <name>', 'cpu or cuda (default: cpu)', (text: string) => one(text, BACKENDS));
}

/** The suite that the options stand for, as text that has passed the schema. `name`: the name of the suite; null: a name made of model and methods. */
export function suiteOfOptions(
  flags: StarterFlags & { readonly model: string },
  name: string | null,
): { readonly name: string; readonly text: string } {
  requireModel(flags.model);
  const methods = [...new Set<StarterMethod>(flags.method ?? ['moa'])];
  const densities = [...new Set(flags.density ?? [0.5])];
  const lengths = [...new Set(flags.lengths ?? starterLengths(positionsOf(modelConfig(flags.model)).tokens))].sort((a, b) => a - b);
  const suite = suiteName(
    name ?? [basename(flags.model).replace(/^[a-z]+:/, ''), ...methods, ...densities.map((d) => Number((100 * d).toFixed(2)))].join('-'),
  );
  const text = starterSuite({
    name: suite,
    model: flags.model,
    backend: flags.backend ?? 'cpu',
    methods,
    densities,
    lengths,
    parts: flags.tasks ?? STARTER_PARTS,
    samples: flags.samples ?? 12,
  });
  parseSuite(text, 'the suite of these options', { generatedTasks: TASK_NAMES });
  return { name: suite, text };
}

/** Refuses a folder that holds no model; the error names the models that may have been meant. Names such as `dummy:...` are left to the loader. */
function requireModel(path: string): void {
  if (/^[a-z]+:/.test(path) || existsSync(join(path, 'config.json'))) return;
  const below = modelsIn(path);
  const near = didYouMean(basename(path), modelsIn(dirname(path)));
  const hint =
    below.length > 0
      ? `There are models in it: ${below
          .slice(0, 5)
          .map((name) => join(path, name))
          .join(', ')}. Name one of them.`
      : near === undefined
        ? 'A model is a folder as Hugging Face publishes it: config.json, safetensors, tokenizer.json.'
        : `Did you mean ${join(dirname(path), near)}?`;
  throw new MoaError(`Expected a model folder (with config.json) for --model but received ${path}`, { code: 'NOT_FOUND', hint });
}

/** Names of the folders directly in `folder` that hold a model; empty when `folder` cannot be read. */
function modelsIn(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => existsSync(join(folder, name, 'config.json')))
      .sort();
  } catch {
    return [];
  }
}

/** `text` reduced to the characters that the name of a suite may have. */
function suiteName(text: string): string {
  const name = text
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, '-')
    .replace(/^[^a-z0-9]+/, '');
  return name === '' ? 'suite' : name;
}

/** A parser that collects the names of a variadic option; one argument may also hold several names, separated by commas. */
function among<T extends string>(known: readonly T[]): (text: string, before: readonly T[] | undefined) => readonly T[] {
  return (text, before) => [...(before ?? []), ...text.split(',').map((name) => one(name, known))];
}

function one<T extends string>(text: string, known: readonly T[]): T {
  const found = known.find((name) => name === text);
  if (found !== undefined) return found;
  const meant = didYouMean(text, known);
  throw new InvalidArgumentError(
    `Expected one of ${known.join(', ')} but received ${text}.${meant === undefined ? '' : ` Did you mean ${meant}?`}`,
  );
}

function densities(text: string, before: readonly number[] | undefined): readonly number[] {
  const parts = text.split(',').map((part) => {
    const value = Number(part);
    if (part.trim() !== '' && value > 0 && value <= 1) return value;
    const share = value > 1 && value <= 100 ? ` Did you mean ${value / 100}?` : '';
    throw new InvalidArgumentError(`Expected a share of the dense KV bytes, in (0, 1], but received ${part}.${share}`);
  });
  return [...(before ?? []), ...parts];
}
