import { setImmediate } from 'node:timers/promises';
import { Command } from 'commander';
import { listDatasets } from '../../data/datasets.ts';
import { generateSamples } from '../../data/generate.ts';
import { TASK_NAMES, taskNamed } from '../../data/tasks.ts';
import { BUNDLED_MODEL, modelPath } from '../../model/format/bundled.ts';
import { Tokenizer } from '../../model/format/tokenizer/tokenizer.ts';
import { print } from '../output.ts';
import { integer } from '../parse.ts';

interface GenerateFlags {
  readonly task: string;
  readonly length: number;
  readonly count: number;
  readonly seed: string;
  readonly model?: string;
}

/** moabench data: datasets that the harness knows, and the generated tasks. */
export function dataCommand(): Command {
  const data = new Command('data').description('List known datasets; write samples of a generated task');
  data
    .command('list')
    .description('Datasets with source, revision and licence, and the generated tasks')
    .option('--json', 'as JSON', false)
    .action((flags: { json: boolean }) => {
      const datasets = listDatasets();
      if (flags.json) print(`${JSON.stringify({ datasets, generated: TASK_NAMES })}\n`);
      else {
        for (const d of datasets) print(`${d.name.padEnd(24)} ${d.licence.padEnd(14)} ${d.source} @ ${d.revision}\n`);
        print(`generated tasks: ${TASK_NAMES.join(', ')}\n`);
      }
    });
  data
    .command('generate')
    .description('Write samples as JSON Lines to stdout')
    .requiredOption('--task <name>', `one of ${TASK_NAMES.join(', ')}`)
    .option('--length <tokens>', 'prompt length', integer, 4096)
    .option('--count <n>', 'samples', integer, 10)
    .option('--seed <text>', 'seed', '1')
    .option('--model <folder>', 'whose tokenizer counts (default: the bundled model)')
    .addHelpText('after', '\nExample:\n  $ moabench data generate --task lines --length 4096 --count 3 > lines.jsonl')
    .action(async (flags: GenerateFlags) => {
      const tokenizer = Tokenizer.read(modelPath(flags.model ?? BUNDLED_MODEL));
      const { length: targetTokens, count, seed } = flags;
      for (const sample of generateSamples({ task: taskNamed(flags.task).name, targetTokens, count, seed, tokenizer, split: 'eval' })) {
        print(`${JSON.stringify(sample)}\n`);
        await setImmediate(); // a reader that went away is noticed before the next sample is made
      }
    });
  return data;
}
