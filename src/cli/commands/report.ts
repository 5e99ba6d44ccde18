import { Command } from 'commander';

/** moabench report: summary, tables, charts and pages again, from the records of a run folder. */
export function reportCommand(): Command {
  return new Command('report')
    .description('Write the report of a run folder again from its records')
    .argument('<folder>', 'run folder')
    .option('--json', 'print the summary as JSON', false)
    .addHelpText('after', '\nExample:\n  $ moabench report runs/quick-20261123-231500')
    .action(async (folder: string, flags: { json: boolean }) => {
      const { writeRunReport } = await import('../../run/write-report.ts');
      const report = await writeRunReport(folder);
      process.stdout.write(flags.json ? `${JSON.stringify(report.summary)}\n` : `${report.text}\nreport: ${folder}/report.html\n`);
    });
}
