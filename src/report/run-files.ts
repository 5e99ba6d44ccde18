import type { Selection } from '../summary/selection.ts';
import type { Chart } from './chart.ts';

/** A file of the run folder. `path`: relative to the folder, in which the report lies too. `holds`: what the file holds, in words. */
export interface RunFile {
  readonly path: string;
  readonly holds: string;
}

const TABLES: Readonly<Record<string, string>> = {
  methods: 'a row a method: memory, retrieval, effective context, scores, loss',
  retrieval: 'accuracy by method and length, beside the baseline',
  depth: 'accuracy by method, length, and where the evidence sits',
  scores: 'scores by method and task',
  perplexity: 'loss of the answers by method',
  speed: 'tokens/s, ms, memory and tokens/s per GB by method and condition',
  memory: 'KV bytes by method and length',
  'device-memory': 'the accounts of plan, allocator and device',
  capacity: 'the largest batch by method',
  contrasts: 'methods of equal memory against each other',
  families: 'comparisons that were adjusted together',
  'speed-contrasts': 'methods against each other in speed',
  unfit: 'what did not fit into memory',
  samples: 'every answer with its score',
  losses: "every document's loss",
  timings: 'every round of every process',
};

/** Section of charts -> the names of the tables with its numbers. */
export const SECTION_TABLES: Readonly<Record<Chart['section'], readonly string[]>> = {
  overview: ['methods'],
  retrieval: ['retrieval', 'depth', 'contrasts'],
  scores: ['scores', 'perplexity'],
  speed: ['speed', 'speed-contrasts'],
  rounds: ['timings'],
  memory: ['memory', 'device-memory', 'capacity', 'unfit'],
  spans: [],
  elastic: [],
  fronts: [],
};

/** The path of a table, relative to the run folder. */
export function tablePath(name: string): string {
  return `csv/${name}.csv`;
}

/** The ids that suites accept. They can be part of a path and of a web address without escaping. */
const PLAIN = /^[a-z0-9][a-z0-9._-]*$/;

export interface RunFilesInput {
  /** Name of the file with the records. */
  readonly recordsFile: string;
  readonly selection: Selection;
  /** Names of the tables that were written. */
  readonly tables: readonly string[];
  readonly hasEnvironment: boolean;
}

/** The files in the run folder beside the report, in the order in which a reader would open them. */
export function runFiles({ recordsFile, selection, tables, hasEnvironment }: RunFilesInput): RunFile[] {
  return [
    {
      path: recordsFile,
      holds: `everything that was measured, a JSON line each${selection.samples.length === 0 ? '' : '; of every prompt its end'}`,
    },
    { path: 'summary.json', holds: 'all estimates, comparisons, checks and findings of this report' },
    { path: 'suite.json', holds: 'what was run, defaults filled in' },
    ...(hasEnvironment ? [{ path: 'environment.json', holds: 'the machine and the code' }] : []),
    { path: 'report.md', holds: 'this report as text, its charts as images' },
    ...tables.map((name) => ({ path: tablePath(name), holds: TABLES[name] ?? 'a table' })),
    ...selection.plans
      .filter(({ method }) => PLAIN.test(method))
      .map(({ method }) => ({ path: `plans/${method}.json`, holds: 'a plan: the rules of its heads' })),
  ];
}
