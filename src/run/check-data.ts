import { basename } from 'node:path';
import { MoaError } from '../core/errors.ts';
import { sha256File } from '../core/hash.ts';
import { type Dataset, datasetNamed, listDatasets } from '../data/datasets.ts';
import { longBenchItems } from '../data/readers/longbench.ts';
import { longBenchDataset } from '../data/readers/longbench-datasets.ts';
import { longEvalTests } from '../data/readers/longeval.ts';
import type { PromptModel } from '../data/readers/prompt-model.ts';
import { promptLength } from '../data/sample.ts';
import { scoreOutput } from '../evaluate/score.ts';
import type { RecordOf } from '../records/record.ts';
import type { Cell, QualityCell } from '../suite/cells.ts';
import type { Suite } from '../suite/schema.ts';
import { type SampleSource, sampleSource } from './sample-source.ts';
import { samplesOf } from './samples.ts';

/** What a condition's samples are made of, and how many there are. */
export type DataFacts = Omit<RecordOf<'data'>, 'kind' | 'time'>;

export interface CheckDataOptions {
  readonly suite: Suite;
  readonly suiteFolder: string;
  readonly cells: readonly Cell[];
  /** Called only where a cell needs samples. */
  readonly model: () => PromptModel;
}

/**
 * One fact for each condition of these cells, whatever the number of methods. Checks the data as far as possible before anything is computed: files exist,
 * are regular and well-formed, ids differ, references can be scored, prompts fit, and there is at least one sample.
 * @throws MoaError with all problems in one message, each of them once.
 */
export async function checkData(options: CheckDataOptions): Promise<readonly DataFacts[]> {
  const conditions = new Map<string, QualityCell>();
  for (const cell of options.cells) {
    if (cell.kind === 'retrieval' || cell.kind === 'longbench' || cell.kind === 'perplexity')
      conditions.set(`${cell.kind}/${cell.task}/${cell.length}`, cell);
  }
  const facts: DataFacts[] = [];
  const problems: MoaError[] = [];
  for (const cell of conditions.values()) {
    try {
      facts.push(await conditionFacts(cell, options));
    } catch (error) {
      if (!(error instanceof MoaError)) throw error;
      problems.push(error);
    }
  }
  if (problems.length > 0) throw allOf(problems);
  return facts;
}

/** A sentence for each condition that has fewer samples than asked for. */
export function shortages(facts: readonly DataFacts[]): string[] {
  return facts.flatMap(({ usable, asked, task, length, files }) =>
    usable === null || usable >= asked
      ? []
      : [`${files[0]?.path ?? task} has ${usable} of the ${asked} samples asked for (${task}, length ${length}).`],
  );
}

function allOf(problems: readonly MoaError[]): MoaError {
  const [first] = problems as readonly [MoaError, ...MoaError[]];
  const messages = [...new Set(problems.map(({ message }) => message))];
  if (messages.length === 1) return first;
  const hints = [...new Set(problems.flatMap(({ hint }) => hint ?? []))];
  return new MoaError(`The data of ${messages.length} conditions can't be used:\n${messages.map((message) => `- ${message}`).join('\n')}`, {
    code: first.code,
    ...(hints.length === 0 ? {} : { hint: hints.join(' ') }),
  });
}

async function conditionFacts(cell: QualityCell, options: CheckDataOptions): Promise<DataFacts> {
  const { suite, suiteFolder } = options;
  const source = sampleSource(cell, suite, suiteFolder);
  if (source.promptTokens < 1) {
    throw new MoaError(`Expected a length above ${source.newTokens} (the new tokens of ${cell.task}) but received ${cell.length}`, {
      code: 'INVALID_ARGUMENT',
      hint: 'A length is that of prompt and new tokens together.',
    });
  }
  const common = { part: cell.kind, task: cell.task, length: cell.length, reader: source.reader, asked: cell.samples };
  if (source.file === null) {
    await firstSample(cell, options);
    return { ...common, ...generatorFacts(), files: [], usable: null };
  }
  const usable = await (source.reader === 'longeval' ? checkLongEval(cell, source, options) : checkLongBench(cell, source));
  if (usable === 0) throw new MoaError(`Expected samples in ${source.file.path} but received none`, { code: 'INVALID_FILE' });
  if (source.reader === 'longbench') await firstSample(cell, options);
  const dataset = datasetNamed(source.reader);
  const sha256 = await sha256File(source.file.path);
  const published = dataset.files.find(({ path }) => path === basename(source.file?.path ?? ''))?.sha256;
  const file = { path: source.file.name, sha256, published: published === undefined ? null : published === sha256 };
  return { ...common, source: dataset.source, revision: dataset.revision, licence: dataset.licence, files: [file], usable };
}

/** Makes one sample. This fails when a length is too short for a task, or when a prompt has no room for its text. */
async function firstSample(cell: QualityCell, options: CheckDataOptions): Promise<void> {
  for await (const _ of samplesOf({ ...cell, samples: 1 }, { ...options, model: options.model() })) return;
}

async function checkLongEval(
  cell: QualityCell,
  { file, promptTokens, newTokens }: SampleSource,
  { model }: CheckDataOptions,
): Promise<number> {
  const path = file?.path ?? '';
  const { tokenizer, wrapUser } = model();
  let usable = 0;
  let longest = 0;
  for await (const { value } of longEvalTests(path)) {
    if (usable++ < cell.samples) longest = Math.max(longest, promptLength(tokenizer, wrapUser(value.prompt)));
  }
  if (longest > promptTokens) {
    throw new MoaError(
      `Expected prompts of at most ${promptTokens} tokens (length ${cell.length}) in ${path} but the longest has ${longest}`,
      {
        code: 'INVALID_FILE',
        hint: `Give this file a length of ${longest + cell.length - promptTokens} or more; ${newTokens} tokens are for the answer.`,
      },
    );
  }
  return usable;
}

async function checkLongBench(cell: QualityCell, { file }: SampleSource): Promise<number> {
  const path = file?.path ?? '';
  const dataset = longBenchDataset(cell.task);
  const lines = new Map<string, number>();
  for await (const { line, value } of longBenchItems(path)) {
    const before = lines.get(value._id);
    if (before !== undefined) {
      throw new MoaError(`Expected distinct _id values in ${path} but lines ${before} and ${line} have the same`, {
        code: 'INVALID_FILE',
        hint: 'Two files may have been joined; remove the second copy.',
      });
    }
    lines.set(value._id, line);
    const classes = value.all_classes ?? [];
    if (dataset.metric === 'classification' && classes.length === 0) {
      throw new MoaError(`Expected all_classes in ${path}:${line}, which ${cell.task} is scored by, but received none`, {
        code: 'INVALID_FILE',
      });
    }
    checkScorable({ ...dataset, answers: value.answers, allClasses: classes }, `${path}:${line}`);
  }
  return lines.size;
}

/** Scores an empty output. This fails when a reference has not the form that the metric needs, or when a segmenter is missing. */
function checkScorable(sample: Parameters<typeof scoreOutput>[0], where: string): void {
  try {
    scoreOutput(sample, '');
  } catch (cause) {
    if (!(cause instanceof MoaError) || cause.code === 'UNSUPPORTED') throw cause;
    throw new MoaError(`Expected references that ${sample.metric} can score in ${where} but received others`, {
      code: 'INVALID_FILE',
      cause,
    });
  }
}

/** What generated samples draw from. */
function generatorFacts(): Pick<DataFacts, 'source' | 'revision' | 'licence'> {
  const sources = listDatasets().filter(({ kind }) => kind !== 'test-cases');
  const joined = (values: readonly string[]): string => [...new Set(values)].join('; ');
  return {
    source: joined(sources.map(({ source }: Dataset) => source)),
    revision: joined(sources.map(({ revision }) => revision)),
    licence: joined(sources.map(({ licence }) => licence)),
  };
}
