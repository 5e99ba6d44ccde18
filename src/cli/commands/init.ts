import { basename, extname } from 'node:path';
import { Command } from 'commander';
import { writeNewFile } from '../../core/files.ts';
import { BUNDLED_MODEL } from '../../model/format/bundled.ts';
import { print } from '../output.ts';
import { shellCommand } from '../shell-command.ts';
import { type StarterFlags, suiteOfOptions, withStarterOptions } from '../starter-options.ts';

/** moabench init: a suite to start from, with comments. */
export function initCommand(): Command {
  return withStarterOptions(new Command('init').argument('[file]', 'suite file to write', 'suite.yaml'))
    .description('Write a suite to start from, with comments; an existing file is not overwritten')
    .addHelpText(
      'after',
      `
Examples:
  $ moabench init                                            suite.yaml: MoA, a uniform mask and dense attention on ${BUNDLED_MODEL}
  $ moabench init mine.yaml --model models/Llama-3-8B --backend cuda --lengths 4096 8192 16384
  $ moabench init quick.yaml --tasks retrieval --density 0.25 0.5`,
    )
    .action((file: string, flags: StarterFlags) => {
      const { text } = suiteOfOptions({ ...flags, model: flags.model ?? BUNDLED_MODEL }, basename(file, extname(file)));
      writeNewFile(file, text);
      const run = shellCommand(['moabench', 'run', file]);
      print(`wrote ${file}\nWhat it would do, and about how long that takes: ${run} --dry-run\nRun it: ${run}\n`);
    });
}
