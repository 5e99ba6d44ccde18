import { dirname } from 'node:path';
import { describe, MoaError } from '../core/errors.ts';
import { contentHash } from '../core/hash.ts';
import { readInputText } from '../core/read-input.ts';
import { suiteFile, suiteHint } from './bundled.ts';
import { expandCells } from './cells.ts';
import { pathsOutside } from './outside.ts';
import { type Problem, pathText, problemError, problemsOf } from './problems.ts';
import { type Suite, suiteSchema } from './schema.ts';
import { didYouMean } from './spelling.ts';
import { MAX_BYTES, parseYaml, type YamlSource } from './yaml-source.ts';

/** Maximum number of cells of a suite. Each is measured on its own, so a larger suite would never end. */
const MAX_CELLS = 10_000;

export interface LoadedSuite {
  readonly suite: Suite;
  readonly path: string;
  /** Plan files are relative to this folder. */
  readonly folder: string;
  /** Content hash of the suite with its defaults; comments and formatting do not change it. */
  readonly hash: string;
}

export interface LoadSuiteOptions {
  /** Names of the tasks that can be generated. A suite that names another is refused, with its line. Default: no check. */
  readonly generatedTasks?: readonly string[];
  /**
   * `false` refuses plans and data files outside the suite's folder and the working folder. Default: they may lie anywhere. `parseSuite`
   * does not look at files.
   */
  readonly allowOutside?: boolean;
  /** What the file holds, where it is not read but was made just now. */
  readonly text?: string;
}

/**
 * Reads and checks a suite: a file, or the name of one that comes with moabench (`quick`).
 * @throws MoaError NOT_FOUND or IO when it cannot be read; INVALID_FILE whose message has `file:line:column path: problem` for every problem.
 */
export function loadSuite(nameOrPath: string, options: LoadSuiteOptions = {}): LoadedSuite {
  const path = options.text === undefined ? suiteFile(nameOrPath) : nameOrPath;
  const text = options.text ?? readSuite(path);
  const source = parseYaml(text, path);
  const suite = checkedSuite(source, options);
  const outside = options.allowOutside === false ? pathsOutside(source, suite, dirname(path)) : [];
  if (outside.length > 0) throw problemError(source, outside);
  return { suite, path, folder: dirname(path), hash: contentHash(suite) };
}

function readSuite(path: string): string {
  try {
    return readInputText(path, { what: 'a suite', maxBytes: MAX_BYTES });
  } catch (error) {
    if (!(error instanceof MoaError) || error.code !== 'NOT_FOUND') throw error;
    throw new MoaError(error.message, { code: error.code, hint: suiteHint(path), cause: error });
  }
}

/** As `loadSuite`, from text; `file` is the name in messages. */
export function parseSuite(text: string, file: string, options: LoadSuiteOptions = {}): Suite {
  return checkedSuite(parseYaml(text, file), options);
}

function checkedSuite(source: YamlSource, options: LoadSuiteOptions): Suite {
  const parsed = suiteSchema.safeParse(source.value);
  if (!parsed.success) throw problemError(source, problemsOf(source, suiteSchema, parsed.error));
  const cells = expandCells(parsed.data).length;
  if (cells > MAX_CELLS)
    throw new MoaError(`Expected a suite of at most ${MAX_CELLS} cells in ${source.file} but received ${cells}`, { code: 'INVALID_FILE' });
  const unknown = options.generatedTasks === undefined ? [] : unknownTasks(source, parsed.data, options.generatedTasks);
  if (unknown.length > 0) throw problemError(source, unknown);
  return parsed.data;
}

function unknownTasks(source: YamlSource, suite: Suite, known: readonly string[]): Problem[] {
  return taskPaths(suite).flatMap(([path, task]) => {
    if (known.includes(task)) return [];
    const meant = didYouMean(task, known);
    const message = `${source.locate(path)} ${pathText(path)}: Expected one of ${known.map((name) => describe(name)).join(', ')} but received ${describe(task)}`;
    return [{ message, hint: meant === undefined ? undefined : `Did you mean ${describe(meant)}?` }];
  });
}

/** Every place of a suite that names a generated task. */
function taskPaths({ quality, compress }: Suite): (readonly [readonly PropertyKey[], string])[] {
  const list = (path: readonly PropertyKey[], tasks: readonly string[]): (readonly [readonly PropertyKey[], string])[] =>
    tasks.map((task, i) => [[...path, i], task]);
  const retrieval = quality?.retrieval?.source.kind === 'generated' ? quality.retrieval.task : undefined;
  return [
    ...list(['compress', 'calibration', 'tasks'], compress?.calibration.tasks ?? []),
    ...(retrieval === undefined ? [] : [[['quality', 'retrieval', 'task'], retrieval] as const]),
    ...list(['quality', 'longbench', 'tasks'], quality?.longbench?.source.kind === 'generated' ? quality.longbench.tasks : []),
    ...list(['quality', 'perplexity', 'tasks'], quality?.perplexity?.tasks ?? []),
  ];
}
