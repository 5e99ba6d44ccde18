#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { benchCommand } from './commands/bench.ts';
import { buildCommand } from './commands/build.ts';
import { compareCommand } from './commands/compare.ts';
import { dataCommand } from './commands/data.ts';
import { doctorCommand } from './commands/doctor.ts';
import { initCommand } from './commands/init.ts';
import { planCommand } from './commands/plan.ts';
import { reportCommand } from './commands/report.ts';
import { compressCommand, runCommand } from './commands/run.ts';
import { suitesCommand } from './commands/suites.ts';
import { verifyCommand } from './commands/verify.ts';
import { EXIT, errorText, exitCodeOf } from './exit-code.ts';
import { guardOutput, print, tell } from './output.ts';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };

/**
 * Makes the command and all commands below it throw their usage errors. By default commander would end the process with an exit code of its own. Their
 * output goes through `print` and `tell`.
 */
function throwing(command: Command): Command {
  for (const nested of command.commands) throwing(nested);
  return command.exitOverride().configureOutput({ writeOut: print, writeErr: tell });
}

// A command imports its stages only when it runs, so that help and usage errors are quick.
const program = new Command('moabench')
  .description('Benchmark attention compression end to end: compress, score, time and compare on one code path.')
  .version(version)
  .enablePositionalOptions() // so that options after the name of a nested command are its own
  .showSuggestionAfterError()
  .addHelpText(
    'after',
    `
Examples:
  $ moabench build                                 the native code, once after installing
  $ moabench run quick                             compress, score, time, report (about three minutes on two cores)
  $ moabench run --model bundled:reference --method moa --density 0.5    the same without a suite file
  $ moabench init                                  write a suite to start from
  $ moabench run quick --resume                    go on with the newest run of this suite
  $ moabench compare runs/main runs/pull-request   what got better and worse; exit code 3 for a regression
  $ moabench plan inspect runs/quick-*/plans/moa-50.json --lengths 1024 4096
  $ moabench verify --backend cpu                  kernels against the independent reference
  $ moabench doctor                                what this machine has, and why something is missing

Exit codes: 0 all completed, 1 some failed, 2 bad suite or arguments, 3 regression, 4 undecided, 5 not comparable, 130 aborted.`,
  );
throwing(program);
const COMMANDS = [
  initCommand,
  runCommand,
  compressCommand,
  reportCommand,
  compareCommand,
  planCommand,
  verifyCommand,
  benchCommand,
  suitesCommand,
  dataCommand,
  buildCommand,
  doctorCommand,
];
for (const command of COMMANDS) {
  program.addCommand(throwing(command()));
}

guardOutput();
try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? EXIT.completed : EXIT.badInput;
  else {
    tell(`${errorText(error)}\n`);
    process.exitCode = exitCodeOf(error);
  }
}
