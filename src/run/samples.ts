import { generateSamples } from '../data/generate.ts';
import { readLongBench } from '../data/readers/longbench.ts';
import { readLongEval } from '../data/readers/longeval.ts';
import type { PromptModel } from '../data/readers/prompt-model.ts';
import type { Sample } from '../data/sample.ts';
import { taskNamed } from '../data/tasks.ts';
import { userTurn } from '../model/format/template/chat-template.ts';
import type { QualityCell } from '../suite/cells.ts';
import type { RunContext } from './context.ts';
import { sampleSource } from './sample-source.ts';

/** The samples of a quality cell, the same for every method: generated, or read from the files that the suite names. */
export function samplesFor({ suite, suiteFolder, model }: RunContext, cell: QualityCell): AsyncIterable<Sample> {
  return samplesOf(cell, { suite, suiteFolder, model: { tokenizer: model.tokenizer, wrapUser: userTurn(model) } });
}

/** As `samplesFor`, but needs only the tokenizer and chat template of the model. */
export async function* samplesOf(
  cell: QualityCell,
  { suite, suiteFolder, model }: Pick<RunContext, 'suite' | 'suiteFolder'> & { readonly model: PromptModel },
): AsyncIterable<Sample> {
  const { reader, file, promptTokens: targetTokens } = sampleSource(cell, suite, suiteFolder);
  if (file === null) {
    const seed = `${suite.seed}/${cell.kind}`;
    yield* generateSamples({ task: taskNamed(cell.task).name, targetTokens, count: cell.samples, seed, split: 'eval', ...model });
  } else if (reader === 'longeval') yield* take(readLongEval(file.path, { targetTokens, model }), cell.samples);
  else yield* take(readLongBench(file.path, { dataset: cell.task, targetTokens, model }), cell.samples);
}

async function* take<T>(items: AsyncIterable<T>, count: number): AsyncIterable<T> {
  if (count === 0) return;
  let taken = 0;
  for await (const item of items) {
    yield item;
    if (++taken >= count) return;
  }
}
