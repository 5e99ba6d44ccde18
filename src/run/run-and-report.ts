import type { OnProgress } from '../core/progress.ts';
import type { Summary } from '../summary/summary.ts';
import { type RunResult, runSuite } from './run-suite.ts';
import { writeRunReport } from './write-report.ts';

/** Which suite is run, and into which folder. */
export interface RunAndReportOptions {
  /** A suite file, or the name of a suite that comes with moabench (`quick`). */
  readonly suite: string;
  /** Run folder. Default: `runs/<suite name>-<time>` in the working folder. */
  readonly out?: string;
  /** Continues the run in `out`, or the newest run of the suite, instead of beginning a new run. */
  readonly resume?: boolean;
  /** Only these cells, by id, kind or method; `*` stands for anything. Default: all. */
  readonly only?: readonly string[];
  /** Lets the suite name plans and data outside its own and the working folder. */
  readonly allowOutside?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
  /** Receives what a user should know, one sentence each. Default: these sentences are dropped. */
  readonly onNote?: (note: string) => void;
}

/** How a run ended, and what its report says. */
export interface ReportedRun extends RunResult {
  /** What summary.json has: estimates with their intervals, comparisons, checks. */
  readonly summary: Summary;
  /** The headline table and the findings, for a terminal. */
  readonly text: string;
}

/**
 * Runs a suite end to end and writes its report. Plans, scores and timings go into `records.jsonl`; `summary.json`, tables, charts, `report.md` and
 * `report.html` are made from them. A cell that fails or cannot run does not end the others: see `failed` and `skipped`.
 * @throws MoaError for what ends the whole run: a suite or model that is refused, a backend that this machine lacks, an abort.
 */
export async function runAndReport({ suite, ...options }: RunAndReportOptions): Promise<ReportedRun> {
  const run = await runSuite({
    suitePath: suite,
    resume: false,
    only: [],
    command: `runAndReport(${JSON.stringify({ suite, ...(options.only === undefined ? {} : { only: options.only }) })})`,
    signal: new AbortController().signal,
    onProgress: () => {},
    onNote: () => {},
    ...options,
  });
  return { ...run, ...(await writeRunReport(run.folder)) };
}
