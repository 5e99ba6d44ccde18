import { resolve } from 'node:path';
import { MoaError } from '../core/errors.ts';
import { generateSamples } from '../data/generate.ts';
import { readLongBench } from '../data/readers/longbench.ts';
import { readLongEval } from '../data/readers/longeval.ts';
import type { PromptModel } from '../data/readers/prompt-model.ts';
import type { Sample } from '../data/sample.ts';
import { taskNamed } from '../data/tasks.ts';
import { userTurn } from '../model/chat-template.ts';
import type { LanguageModel } from '../model/language-model.ts';
import type { QualityCell } from '../suite/cells.ts';
import type { RunContext } from './context.ts';

/** What samples are made from: no weights. */
export type SampleContext = Pick<RunContext, 'suite' | 'suiteFolder'> & {
  readonly model: Pick<LanguageModel, 'name' | 'tokenizer' | 'chatTemplate'>;
};

/** The samples of a quality cell, the same for every method: generated, or read from the files that the suite names. */
export async function* samplesFor(context: SampleContext, cell: QualityCell): AsyncIterable<Sample> {
  const { quality } = context.suite;
  const source =
    cell.kind === 'retrieval' ? quality?.retrieval?.source : cell.kind === 'longbench' ? quality?.longbench?.source : undefined;
  if (source?.kind === 'longeval') {
    const file = source.files.find((f) => f.length === cell.length);
    if (file === undefined) throw new MoaError(`Expected a LongEval file for length ${cell.length}`, { code: 'INVALID_ARGUMENT' });
    yield* take(
      readLongEval(resolve(context.suiteFolder, file.path), { targetTokens: cell.length, model: promptModel(context) }),
      cell.samples,
    );
    return;
  }
  if (source?.kind === 'longbench') {
    const path = resolve(context.suiteFolder, source.folder, `${cell.task}.jsonl`);
    yield* take(readLongBench(path, { dataset: cell.task, targetTokens: cell.length, model: promptModel(context) }), cell.samples);
    return;
  }
  const task = taskNamed(cell.task);
  // The cell's length is N = prompt + reserve, at which spans and budgets are fixed; a reserve set by the suite comes on top of it.
  const reserve = context.suite.generation.reserveTokens === undefined ? task.maxNewTokens : 0;
  yield* generateSamples({
    task: task.name,
    targetTokens: cell.length - reserve,
    count: cell.samples,
    seed: `${context.suite.seed}/${cell.kind}`,
    tokenizer: context.model.tokenizer,
    split: 'eval',
    wrapUser: userTurn(context.model),
  });
}

function promptModel({ model }: SampleContext): PromptModel {
  return { tokenizer: model.tokenizer, wrapUser: userTurn(model) };
}

async function* take<T>(items: AsyncIterable<T> | Iterable<T>, count: number): AsyncIterable<T> {
  let taken = 0;
  for await (const item of items) {
    if (taken++ >= count) return;
    yield item;
  }
}
