import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { MoaError } from '../../core/errors.ts';
import { recordedPath } from '../../run/run-folder.ts';
import { print } from '../output.ts';

/** moabench report: writes summary, tables, charts and pages again from the records of a run folder. */
export function reportCommand(): Command {
  return new Command('report')
    .description('Write the report of a run folder again from its records')
    .argument('<folder>', 'run folder')
    .option('--json', 'print the summary as JSON', false)
    .addHelpText('after', '\nExample:\n  $ moabench report runs/quick-20261123-231500')
    .action(async (folder: string, flags: { json: boolean }) => {
      requireRunFolder(folder);
      const { writeRunReport } = await import('../../run/write-report.ts');
      const report = await writeRunReport(folder);
      print(flags.json ? `${JSON.stringify(report.summary)}\n` : `${report.text}\nreport: ${folder}/report.html\n`);
    });
}

/** Refuses a folder that holds no run; the error names the runs directly in it, if there are any. @throws NOT_FOUND. */
export function requireRunFolder(folder: string): void {
  if (existsSync(recordedPath(folder))) return;
  const below = runsIn(folder);
  throw new MoaError(`Expected a run folder (with records.jsonl) for the folder but received ${folder}`, {
    code: 'NOT_FOUND',
    hint:
      below.length === 0
        ? 'Name the folder that a run said its report is in.'
        : `There are runs in it: ${below.join(', ')}. Name one of them.`,
  });
}

/** At most 3 runs directly in a folder, in reverse order of their names. Names end in the time, so of one suite these are the newest runs. */
function runsIn(folder: string): string[] {
  try {
    const runs = readdirSync(folder).map((entry) => join(folder, entry));
    return runs
      .filter((path) => existsSync(recordedPath(path)))
      .sort()
      .slice(-3)
      .reverse();
  } catch {
    return []; // no folder, or not readable: there is nothing to propose
  }
}
