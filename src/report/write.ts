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
  /** The environment to show when no stretch is on record, as with records of version 1. */
  readonly environment: Environment | null;
  /** Name of the file with the records, to which reports link. Default: records.jsonl. */
  readonly recordsFile?: string;
}

export interface Report {
  readonly summary: Summary;
  /** Path relative to the run folder -> the text of the file. */
  readonly files: ReadonlyMap<string, string>;
}

/**
 * The summary and all files of a report, in memory. The same input gives the same bytes.
 * @throws MoaError INVALID_FILE for records that no report can show.
 */
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

/**
 * Makes the report, writes it into the run folder and returns its summary. Each file is written whole or not at all. Charts and tables of an earlier report are
 * removed.
 */
export async function writeReport(folder: string, input: ReportInput): Promise<Summary> {
  const { summary, files } = await makeReport(input);
  for (const name of ['csv', 'charts']) rmSync(join(folder, name), { recursive: true, force: true });
  for (const [path, text] of files) writeFileAtomic(join(folder, path), text);
  return summary;
}
