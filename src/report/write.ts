import { rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { writeFileAtomic } from '../core/files.ts';
import type { Environment } from '../records/environment.ts';
import type { RunRecord } from '../records/record.ts';
import type { Suite } from '../suite/schema.ts';
import { selectRecords } from '../summary/selection.ts';
import { summarize } from '../summary/summarize.ts';
import { type Summary, summarySchema } from '../summary/summary.ts';
import { allCharts } from './all-charts.ts';
import { checkReportable } from './bounds.ts';
import { csvFiles } from './csv.ts';
import { htmlReport } from './html/page.ts';
import { markdownReport } from './markdown.ts';
import { loadVegaRuntime, renderSvg } from './render.ts';
import { lightTheme } from './theme.ts';

export interface ReportInput {
  readonly records: readonly RunRecord[];
  readonly suite: Suite;
  /** Shown where the records name no stretch, as those of version 1. */
  readonly environment: Environment | null;
  /** Name of the file with the records, which reports link to. Default: records.jsonl. */
  readonly recordsFile?: string;
}

export interface Report {
  readonly summary: Summary;
  /** Text by path relative to the run folder. */
  readonly files: ReadonlyMap<string, string>;
}

/** Everything that is made from records; the same input gives the same bytes. @throws INVALID_FILE for records that no report can show. */
export async function makeReport(input: ReportInput): Promise<Report> {
  checkReportable(input.suite, input.records);
  const selection = selectRecords(input.records, input.suite);
  const summary = summarySchema.parse(summarize(input));
  const tables = csvFiles(summary, selection);
  const parts = {
    summary,
    selection,
    environment: selection.stretches.at(-1)?.environment ?? input.environment,
    charts: allCharts(summary, selection),
    recordsFile: input.recordsFile ?? 'records.jsonl',
    tables: [...tables.keys()].map((name) => basename(name, '.csv')),
  };
  const files = new Map<string, string>([['summary.json', `${JSON.stringify(summary, null, 2)}\n`]]);
  for (const [name, text] of tables) files.set(`csv/${name}`, text);
  for (const chart of parts.charts) {
    const spec = chart.spec(lightTheme);
    files.set(`charts/${chart.id}.vl.json`, `${JSON.stringify(spec, null, 2)}\n`);
    files.set(`charts/${chart.id}.svg`, await renderSvg(spec));
  }
  files.set('report.md', markdownReport(parts));
  files.set('report.html', htmlReport(parts, loadVegaRuntime()));
  return { summary, files };
}

/** Makes the report and writes it into the run folder, each file whole or not at all; charts and tables of an earlier report are removed. */
export async function writeReport(folder: string, input: ReportInput): Promise<Summary> {
  const { summary, files } = await makeReport(input);
  for (const name of ['csv', 'charts']) rmSync(join(folder, name), { recursive: true, force: true });
  for (const [path, text] of files) writeFileAtomic(join(folder, path), text);
  return summary;
}
