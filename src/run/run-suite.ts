import { existsSync } from 'node:fs';
import { loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { contentHash } from '../core/hash.ts';
import type { OnProgress } from '../core/progress.ts';
import { TASK_NAMES } from '../data/tasks.ts';
import { userTurn } from '../model/format/template/chat-template.ts';
import type { LanguageModel } from '../model/inference/language-model.ts';
import { loadModel } from '../model/load.ts';
import { createBackend } from '../native/backends.ts';
import { captureEnvironment, type Environment } from '../records/environment.ts';
import { type RecordOf, recordsOf } from '../records/record.ts';
import type { RecordStore } from '../records/store.ts';
import { type Cell, expandCells, type QualityCell } from '../suite/cells.ts';
import { loadSuite } from '../suite/load.ts';
import type { Suite } from '../suite/schema.ts';
import { recordAddresses } from './addresses.ts';
import { beyondPositions } from './beyond-positions.ts';
import { checkData, type DataFacts, shortages } from './check-data.ts';
import { now, type RunContext } from './context.ts';
import { runMaxBatch } from './efficiency.ts';
import { captureIdentity } from './identity.ts';
import { findPlans, makePlans } from './make-plans.ts';
import { modelText, templateDate } from './model-text.ts';
import { openStore } from './open-store.ts';
import { runQuality } from './quality.ts';
import { recordsPath, runFolder } from './run-folder.ts';
import { graphUse, recordRun } from './run-record.ts';
import { type CellFilter, selectCells } from './select-cells.ts';
import { Stretch } from './stretch.ts';
import { tellingTimeLeft } from './time-left.ts';
import { runTimings } from './timings.ts';

/** The root of the checkout or of the installed package, which holds package.json. */
const PACKAGE_ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Which suite is run, into which folder, and who hears of it. */
export interface RunOptions {
  readonly suitePath: string;
  /** The text of the suite. When it is given, `suitePath` is not a file but a name for messages and records. */
  readonly suiteText?: string;
  /** Run folder. Default: `runs/<suite name>-<time>`; with `resume`, the newest run of the suite. */
  readonly out?: string;
  readonly resume: boolean;
  /** Whether to go on in a folder that holds the run of another suite. */
  readonly otherSuite?: boolean;
  readonly only: CellFilter;
  readonly command: string;
  /** Lets the suite name plans and data outside its own and the working folder. */
  readonly allowOutside?: boolean;
  /** Called once, when the folder is open for records. */
  readonly onFolder?: (folder: string) => void;
  readonly signal: AbortSignal;
  readonly onProgress: OnProgress;
  /** Whether progress says how long the run still takes. */
  readonly estimates?: boolean;
  /** Things the user should know as they happen, one sentence each. */
  readonly onNote: (note: string) => void;
}

/** How the selected cells of a run ended. */
export interface RunResult {
  readonly folder: string;
  readonly completed: number;
  readonly failed: readonly { readonly cellId: string; readonly message: string; readonly hint: string | null }[];
  readonly skipped: readonly { readonly cellId: string; readonly reason: string }[];
  /** One sentence for each condition that has fewer samples than the suite asks for. Such a run is not complete. */
  readonly short: readonly string[];
}

/**
 * Runs a suite end to end into its folder: plans, quality, efficiency. Every record is flushed when it is written, and results that an earlier run of the
 * folder completed are kept. The report is made from the records afterwards (report/).
 */
export async function runSuite(options: RunOptions): Promise<RunResult> {
  const { suite, folder: suiteFolder } = loadSuite(options.suitePath, {
    generatedTasks: TASK_NAMES,
    allowOutside: options.allowOutside === true,
    ...(options.suiteText === undefined ? {} : { text: options.suiteText }),
  });
  const folder = runFolder({ suiteName: suite.name, ...options });
  const cells = selectCells(expandCells(suite), options.only);
  // The log of an earlier run is locked before the model is loaded. A new folder is made only when backend and model are loaded.
  using earlier = existsSync(recordsPath(folder)) ? openStore(folder, { ...options, suiteName: suite.name }) : null;
  const began = { time: new Date(), loadAverage: loadavg() };
  const backend = await createBackend(suite.backend);
  try {
    const model = await loadModel({
      path: suite.model.path,
      backend,
      ...(suite.model.weightDType === undefined ? {} : { weightDType: suite.model.weightDType }),
      ...(suite.backend.activations === undefined ? {} : { activationDType: suite.backend.activations }),
      ...modelText(suite, cells, templateDate(earlier?.records ?? [])),
    });
    const note = beyondPositions(suite, cells, model.config);
    if (note !== null) options.onNote(note);
    const facts = await checkData({ suite, suiteFolder, cells, model: () => ({ tokenizer: model.tokenizer, wrapUser: userTurn(model) }) });
    const short = shortages(facts);
    for (const sentence of short) options.onNote(sentence);
    using store = earlier ?? openStore(folder, { ...options, suiteName: suite.name });
    options.onFolder?.(folder);
    const environment = captureEnvironment({
      ...began,
      root: PACKAGE_ROOT,
      backend: { name: backend.name, description: backend.description, details: backendDetails(model, suite) },
    });
    const started: RunContext = {
      suite,
      suiteFolder,
      folder,
      model,
      identity: await captureIdentity({
        suite,
        suiteFolder,
        weightsHash: model.weightsHash,
        template: model.template,
        device: backend.description,
      }),
      store,
      stretch: new Stretch({ store, folder, environment }),
      plans: new Map(),
      substitutions: new Set(),
      signal: options.signal,
      onProgress: options.onProgress,
      onNote: options.onNote,
    };
    const context = options.estimates === true ? { ...started, onProgress: await tellingTimeLeft(started, cells) } : started;
    recordRun(context, { ...options, version: environment.moabench, cells });
    recordData(store, facts);
    try {
      await runCells(context, cells);
    } finally {
      endStretch(context, options);
    }
    return { folder, ...outcomes(store, cells), short };
  } finally {
    await backend.dispose();
  }
}

/** Records the facts about the data. A fact that equals the last recorded one of its condition is not written again. */
function recordData(store: RecordStore, facts: readonly DataFacts[]): void {
  const known = recordsOf(store.records, 'data');
  for (const fact of facts) {
    const last = known.findLast(({ part, task, length }) => part === fact.part && task === fact.task && length === fact.length);
    if (last !== undefined && contentHash({ ...last, kind: undefined, time: undefined }) === contentHash(fact)) continue;
    store.append({ kind: 'data', time: now(), ...fact });
  }
}

/** Ends the stretch and records which ops ran on another kernel than the intended one. An empty list is recorded too: a slow number then has another cause. */
function endStretch({ substitutions, stretch }: RunContext, options: RunOptions): void {
  const sentences = [...substitutions];
  stretch.close(sentences);
  if (sentences.length === 0) return;
  const more = sentences.length > 1 ? ` (and ${sentences.length - 1} more, see the report)` : '';
  options.onNote(`Some ops ran on another kernel than the one that is meant for them: ${sentences[0]}${more}.`);
}

/** What timings and scores depend on beside the description of the backend, for environment.json. */
function backendDetails(model: LanguageModel, suite: Suite): Environment['backend']['details'] {
  const { device } = model.backend.memory();
  return {
    timer: model.backend.traits.timer,
    activationDType: model.activationDType,
    graph: graphUse(model, suite),
    ...(device === undefined ? {} : { deviceTotalBytes: device.totalBytes }),
  };
}

/** How the selected cells ended, by the last outcome of each. */
function outcomes(store: RecordStore, cells: readonly Cell[]): Omit<RunResult, 'folder' | 'short'> {
  const last = new Map<string, RecordOf<'outcome'>>();
  for (const record of recordsOf(store.records, 'outcome')) last.set(record.cellId, record);
  const ends = cells.flatMap((cell) => last.get(cell.id) ?? []);
  return {
    completed: ends.filter((end) => end.status === 'completed').length,
    failed: ends.flatMap(({ cellId, ...end }) =>
      end.status === 'failed' ? [{ cellId, message: end.error.message, hint: end.error.hint }] : [],
    ),
    skipped: ends.flatMap((end) => (end.status === 'skipped' ? [{ cellId: end.cellId, reason: end.reason }] : [])),
  };
}

/** The stages in order; each kind of cell has its runner. */
async function runCells(context: RunContext, cells: readonly Cell[]): Promise<void> {
  const { model, substitutions } = context;
  try {
    findPlans(context);
    recordAddresses(context);
    await makePlans(
      context,
      cells.filter((cell) => cell.kind === 'plan'),
    );
    recordAddresses(context);
    await runQuality(
      context,
      cells.filter((cell): cell is QualityCell => cell.kind === 'retrieval' || cell.kind === 'longbench' || cell.kind === 'perplexity'),
    );
    await runMaxBatch(
      context,
      cells.filter((cell) => cell.kind === 'maxBatch'),
    );
  } finally {
    for (const sentence of model.backend.substitutions()) substitutions.add(sentence);
  }
  // Timing processes load the model again and must have the machine to themselves, so this process frees its own model and backend.
  model.dispose();
  await model.backend.dispose();
  await runTimings(
    context,
    cells.filter((cell) => cell.kind === 'prefill' || cell.kind === 'decode'),
  );
}
