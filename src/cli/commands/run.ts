import { Command } from 'commander';
import { MoaError } from '../../core/errors.ts';
import { EXIT } from '../exit-code.ts';
import { interruptible } from '../interrupt.ts';
import { print, tell } from '../output.ts';
import { progressDisplay } from '../progress-display.ts';
import { runResultText } from '../run-result-text.ts';
import { shellCommand } from '../shell-command.ts';
import { STARTER_FLAGS, type StarterFlags, suiteOfOptions, withStarterOptions } from '../starter-options.ts';

interface RunFlags extends StarterFlags {
  readonly out?: string;
  readonly resume: boolean;
  readonly otherSuite: boolean;
  readonly dryRun: boolean;
  readonly printSuite?: boolean;
  readonly only: string[];
  readonly json: boolean;
  readonly quiet: boolean;
  readonly allowOutside: boolean;
}

/** moabench run: a suite end to end. */
export function runCommand(): Command {
  return withStarterOptions(suiteCommand('run', '[suite]'))
    .description('Run a suite, or what --model and the options after it stand for: make plans, score, time, and write the report')
    .option('--print-suite', 'with --model: print the suite that the options stand for, and run nothing')
    .option('--only <patterns...>', 'cells to run, by id, kind or method; * stands for anything', [])
    .addHelpText(
      'after',
      `
Examples:
  $ moabench run quick --dry-run                       what it would do, and about how long it takes
  $ moabench run quick --only 'retrieval*'             only these cells, and the plans that they need
  $ moabench run my-suite.yaml --out runs/a --resume   go on in a folder
  $ moabench run --model bundled:reference --method moa --density 0.5
                                                       without a suite file: MoA, a uniform mask of the same memory, dense
  $ moabench run --model bundled:reference --method moa --density 0.25 0.5 --print-suite > mine.yaml
                                                       that suite as a file, to go on from
  $ moabench run quick --json | jq .summary.verdicts

With --json, standard output has one line of JSON: folder; completed, failed and skipped cells; short (conditions with too few samples); and summary, which is
the summary.json of the run folder. Progress and notes go to standard error.`,
    )
    .action(async (suite: string | undefined, flags: RunFlags) => {
      const source = sourceOf(suite, flags);
      if (flags.printSuite === true) print(requireText(source));
      else await execute(source, flags, { only: flags.only, command: commandAgain('run', source, flags) });
    });
}

/** moabench compress: makes only the plans of a suite. */
export function compressCommand(): Command {
  return suiteCommand('compress', '<suite>')
    .description('Make only the plans of a suite: calibrate, profile, optimize, validate')
    .option('--only <methods...>', 'methods of the suite', [])
    .addHelpText('after', '\nExample:\n  $ moabench compress quick --only moa-50 --out runs/plans')
    .action(async (suite: string, flags: RunFlags) => {
      const only = flags.only.length === 0 ? ['plan'] : flags.only.map((method) => `plan/${method}`);
      const source = { path: suite, arguments: [suite] };
      await execute(source, flags, { only, command: commandAgain('compress', source, flags) });
    });
}

function suiteCommand(name: string, argument: string): Command {
  return new Command(name)
    .argument(argument, 'suite file (YAML), or the name of a bundled suite (see `moabench suites`)')
    .option('--out <folder>', 'run folder (default: runs/<suite>-<time>)')
    .option('--resume', 'go on with the folder, or with the newest run of the suite', false)
    .option('--other-suite', 'with --resume: go on also where the folder holds the run of another suite', false)
    .option('--dry-run', 'print what would be done, why, and an estimate of time, memory and disk; run nothing', false)
    .option('--json', 'print the result as JSON on stdout', false)
    .option('--allow-outside', 'let the suite name plans and data outside its folder and the working folder', false)
    .option('--quiet', 'no progress', false);
}

/** Where the suite comes from: a file, or the options that stand for a suite. */
interface SuiteSource {
  /** The file, or a name for messages and records. */
  readonly path: string;
  readonly text?: string;
  /** The arguments that name this suite on a command line. */
  readonly arguments: readonly string[];
}

function sourceOf(suite: string | undefined, flags: RunFlags): SuiteSource {
  const given = STARTER_FLAGS.filter((name) => flags[name] !== undefined).map((name) => `--${name}`);
  if (suite !== undefined) {
    const beside = [...given, ...(flags.printSuite === true ? ['--print-suite'] : [])];
    if (beside.length > 0)
      throw new MoaError(`Expected either a suite file or ${beside.join(', ')} but received both, and the file ${suite}`, {
        code: 'INVALID_ARGUMENT',
        hint: 'Change the file; or leave it out and name the model with --model.',
      });
    return { path: suite, arguments: [suite] };
  }
  const { model } = flags;
  if (model === undefined)
    throw new MoaError(`Expected a suite file or --model but received ${given.length === 0 ? 'neither' : given.join(', ')}`, {
      code: 'INVALID_ARGUMENT',
      hint: 'For example: moabench run quick, or moabench run --model bundled:reference --method moa --density 0.5.',
    });
  const { text } = suiteOfOptions({ ...flags, model }, null);
  const options = STARTER_FLAGS.flatMap((name) => {
    const value = flags[name];
    return value === undefined ? [] : [`--${name}`, ...[value].flat().map(String)];
  });
  return { path: 'the suite of these options', text, arguments: options };
}

function requireText({ text }: SuiteSource): string {
  if (text === undefined) throw new MoaError('Expected a suite made of options', { code: 'INTERNAL' });
  return text;
}

function tellNote(note: string): void {
  tell(`note: ${note}\n`);
}

interface Selection {
  readonly only: readonly string[];
  /** Recorded, so that a reader of the report can run it again. */
  readonly command: string;
}

/** The command that repeats this run in a new folder. It leaves out options that only change what is printed. */
function commandAgain(name: string, suite: SuiteSource, { only, allowOutside }: Pick<RunFlags, 'only' | 'allowOutside'>): string {
  const outside = allowOutside ? ['--allow-outside'] : [];
  return shellCommand(['moabench', name, ...suite.arguments, ...(only.length === 0 ? [] : ['--only', ...only]), ...outside]);
}

function suiteOptions({ path, text }: SuiteSource): { readonly suitePath: string; readonly suiteText?: string } {
  return { suitePath: path, ...(text === undefined ? {} : { suiteText: text }) };
}

async function execute(suite: SuiteSource, flags: RunFlags, { only, command }: Selection): Promise<void> {
  if (flags.dryRun) {
    const { dryRun } = await import('../../run/dry-run.ts');
    const { dryRunText } = await import('../dry-run-text.ts');
    const planned = await dryRun({
      ...suiteOptions(suite),
      only,
      resume: flags.resume,
      otherSuite: flags.otherSuite,
      allowOutside: flags.allowOutside,
      onNote: tellNote,
      ...(flags.out === undefined ? {} : { out: flags.out }),
    });
    print(`${flags.json ? JSON.stringify(planned) : dryRunText(planned)}\n`);
    return;
  }
  const { runSuite } = await import('../../run/run-suite.ts');
  const { writeRunReport } = await import('../../run/write-report.ts');
  const display = progressDisplay({ quiet: flags.quiet });
  let folder: string | undefined;
  const { run: result, report } = await interruptible(
    async ({ signal, placeChanged }) => {
      const run = await runSuite({
        ...suiteOptions(suite),
        resume: flags.resume,
        otherSuite: flags.otherSuite,
        only,
        command,
        allowOutside: flags.allowOutside,
        signal,
        onFolder: (path) => {
          folder = path;
          placeChanged();
        },
        onProgress: display.onProgress,
        estimates: !flags.quiet,
        onNote: tellNote,
        ...(flags.out === undefined ? {} : { out: flags.out }),
      });
      return { run, report: await writeRunReport(run.folder) };
    },
    {
      beforeExit: () => display.stop(),
      howToGoOn: () =>
        folder === undefined
          ? 'Nothing was recorded yet.'
          : `The run is in ${folder}. Go on with: ${command} ${shellCommand(['--out', folder])} --resume`,
    },
  );
  display.stop();
  print(flags.json ? `${JSON.stringify({ ...result, summary: report.summary })}\n` : `${runResultText(result, report.text)}\n`);
  process.exitCode = result.failed.length + result.short.length > 0 ? EXIT.someFailed : EXIT.completed;
}
