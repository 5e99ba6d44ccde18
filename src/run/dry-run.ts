import { existsSync } from 'node:fs';
import type { PromptModel } from '../data/readers/prompt-model.ts';
import { TASK_NAMES } from '../data/tasks.ts';
import { userTurn } from '../model/format/template/chat-template.ts';
import { requireTokenizer } from '../model/inference/language-model.ts';
import { checkModel, type ModelText, modelHash } from '../model/load.ts';
import { createBackend } from '../native/backends.ts';
import { readRecords } from '../records/read-records.ts';
import { RecordLog } from '../records/record-log.ts';
import { expandCells } from '../suite/cells.ts';
import { loadSuite } from '../suite/load.ts';
import { beyondPositions } from './beyond-positions.ts';
import { type CellState, cellStates, toDo } from './cell-states.ts';
import { checkData, shortages } from './check-data.ts';
import { type Estimate, estimateRun } from './estimate.ts';
import { captureIdentity } from './identity.ts';
import { modelText, templateDate } from './model-text.ts';
import { damageNote } from './open-store.ts';
import { checkRunFolder, recordsPath, refuseOtherSuite, runFolder } from './run-folder.ts';
import { type CellFilter, selectCells } from './select-cells.ts';

export interface DryRun {
  readonly cells: readonly CellState[];
  readonly estimate: Estimate;
}

export interface DryRunOptions {
  readonly suitePath: string;
  /** The text of the suite. When it is given, `suitePath` is not a file but a name for messages and records. */
  readonly suiteText?: string;
  readonly out?: string;
  readonly resume: boolean;
  /** Whether the run may continue in a folder that holds the run of another suite. */
  readonly otherSuite?: boolean;
  readonly only: CellFilter;
  readonly allowOutside?: boolean;
  /** Receives the notes that a run would give, one sentence each. */
  readonly onNote: (note: string) => void;
}

/**
 * What a run with these options would do with each of its cells, and an estimate of what that takes. It loads no weights and runs nothing but a short
 * trial of the machine. It refuses what a run refuses, such as a missing model or a folder that already holds a run, with the same errors.
 */
export async function dryRun(options: DryRunOptions): Promise<DryRun> {
  const { suite, folder: suiteFolder } = loadSuite(options.suitePath, {
    generatedTasks: TASK_NAMES,
    allowOutside: options.allowOutside === true,
    ...(options.suiteText === undefined ? {} : { text: options.suiteText }),
  });
  const folder = runFolder({ suiteName: suite.name, ...options });
  const cells = selectCells(expandCells(suite), options.only);
  const log = recordsOfFolder(folder, suite.name, options);
  const { config, text } = await checkModel(suite.model.path, modelText(suite, cells, templateDate(log.records)));
  const note = beyondPositions(suite, cells, config);
  if (note !== null) options.onNote(note);
  const facts = await checkData({ suite, suiteFolder, cells, model: () => promptModel(text) });
  for (const sentence of shortages(facts)) options.onNote(sentence);
  const backend = await createBackend(suite.backend);
  const statesNow = async (): Promise<readonly CellState[]> => {
    const weightsHash = await modelHash(suite.model.path);
    const template = text.chatTemplate?.facts ?? null;
    const identity = await captureIdentity({ suite, suiteFolder, weightsHash, template, device: backend.description });
    return cellStates(cells, { suite, suiteFolder, identity, log, shape: config, prompts: () => promptModel(text) });
  };
  try {
    const states = log.records.length === 0 ? cells.map(toDo) : await statesNow();
    return { cells: states, estimate: await estimateRun({ suite, config, backend, cells, states, log }) };
  } finally {
    await backend.dispose();
  }
}

function recordsOfFolder(folder: string, suiteName: string, options: DryRunOptions): RecordLog {
  if (!existsSync(recordsPath(folder))) return new RecordLog();
  checkRunFolder(folder);
  const { records, damaged } = readRecords(recordsPath(folder));
  if (damaged.length > 0) options.onNote(damageNote(damaged));
  if (options.otherSuite !== true) refuseOtherSuite(folder, records, suiteName);
  return new RecordLog(records);
}

function promptModel(text: ModelText): PromptModel {
  return { tokenizer: requireTokenizer(text.name, text.tokenizer), wrapUser: userTurn(text) };
}
