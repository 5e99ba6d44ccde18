import { Command } from 'commander';
import { EXIT } from '../exit-code.ts';
import { interruptible } from '../interrupt.ts';
import { print, tell } from '../output.ts';
import { progressDisplay } from '../progress-display.ts';
import { runResultText } from '../run-result-text.ts';
import { shellCommand } from '../shell-command.ts';

interface RunFlags {
  readonly out?: string;
  readonly resume: boolean;
  readonly otherSuite: boolean;
  readonly dryRun: boolean;
  readonly only: string[];
  readonly json: boolean;
  readonly quiet: boolean;
  readonly allowOutside: boolean;
}

/** moabench run: a suite end to end. */
export function runCommand(): Command {
  return suiteCommand('run')
    .description('Run a suite: make plans, score, time, and write the report')
    .option('--only <patterns...>', 'cells to run, by id, kind or method; * stands for anything', [])
    .addHelpText(
      'after',
      `
Examples:
  $ moabench run quick --dry-run               what it would do, and about how long it takes
  $ moabench run quick --only 'retrieval*'     only these cells, and the plans that they need
  $ moabench run my-suite.yaml --out runs/a --resume   go on in a folder`,
    )
    .action(async (suite: string, flags: RunFlags) => {
      await execute(suite, flags, { only: flags.only, command: commandAgain('run', suite, flags) });
    });
}

/** moabench compress: only the plans of a suite. */
export function compressCommand(): Command {
  return suiteCommand('compress')
    .description('Make only the plans of a suite: calibrate, profile, optimize, validate')
    .option('--only <methods...>', 'methods of the suite', [])
    .addHelpText('after', '\nExample:\n  $ moabench compress quick --only moa-50 --out runs/plans')
    .action(async (suite: string, flags: RunFlags) => {
      const only = flags.only.length === 0 ? ['plan'] : flags.only.map((method) => `plan/${method}`);
      await execute(suite, flags, { only, command: commandAgain('compress', suite, flags) });
    });
}

function suiteCommand(name: string): Command {
  return new Command(name)
    .argument('<suite>', 'suite file (YAML), or the name of a bundled suite (see `moabench suites`)')
    .option('--out <folder>', 'run folder (default: runs/<suite>-<time>)')
    .option('--resume', 'go on with the folder, or with the newest run of the suite', false)
    .option('--other-suite', 'with --resume: go on also where the folder holds the run of another suite', false)
    .option('--dry-run', 'print what would be done, why, and an estimate of time, memory and disk; run nothing', false)
    .option('--json', 'print the result as JSON on stdout', false)
    .option('--allow-outside', 'let the suite name plans and data outside its folder and the working folder', false)
    .option('--quiet', 'no progress', false);
}

function tellNote(note: string): void {
  tell(`note: ${note}\n`);
}

interface Selection {
  readonly only: readonly string[];
  /** Recorded, so that a reader of the report can run it again. */
  readonly command: string;
}

/** The command that does this again from nothing: in a folder of its own, without options that only change what is printed. */
function commandAgain(name: string, suite: string, { only, allowOutside }: Pick<RunFlags, 'only' | 'allowOutside'>): string {
  const outside = allowOutside ? ['--allow-outside'] : [];
  return shellCommand(['moabench', name, suite, ...(only.length === 0 ? [] : ['--only', ...only]), ...outside]);
}

async function execute(suitePath: string, flags: RunFlags, { only, command }: Selection): Promise<void> {
  if (flags.dryRun) {
    const { dryRun } = await import('../../run/dry-run.ts');
    const { dryRunText } = await import('../dry-run-text.ts');
    const planned = await dryRun({
      suitePath,
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
  const result = await interruptible(
    async ({ signal, placeChanged }) => {
      const run = await runSuite({
        suitePath,
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
        onNote: tellNote,
        ...(flags.out === undefined ? {} : { out: flags.out }),
      });
      const report = await writeRunReport(run.folder);
      return { ...run, report };
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
  print(flags.json ? `${JSON.stringify(result)}\n` : `${runResultText(result, result.report.text)}\n`);
  process.exitCode = result.failed.length + result.short.length > 0 ? EXIT.someFailed : EXIT.completed;
}
