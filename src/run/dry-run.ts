import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { TASK_NAMES } from '../data/tasks.ts';
import { ChatTemplate } from '../model/chat-template.ts';
import { locatedModelConfig, modelFolder, modelHash } from '../model/load.ts';
import { Tokenizer } from '../model/tokenizer.ts';
import { createBackend } from '../native/backends.ts';
import { readRecords } from '../results/read-records.ts';
import { RecordLog } from '../results/record-log.ts';
import { expandCells } from '../suite/cells.ts';
import { loadSuite } from '../suite/load.ts';
import { beyondPositions } from './beyond-positions.ts';
import { type CellState, cellStates, type StatesInput } from './cell-states.ts';
import { type Estimate, estimateRun } from './estimate.ts';
import { captureIdentity } from './identity.ts';
import { damageNote } from './open-store.ts';
import { checkRunFolder, recordsPath, refuseOtherSuite, runFolder } from './run-folder.ts';
import { type CellFilter, selectCells } from './select-cells.ts';

export interface DryRun {
  readonly cells: readonly CellState[];
  readonly estimate: Estimate;
}

export interface DryRunOptions {
  readonly suitePath: string;
  readonly out?: string;
  readonly resume: boolean;
  /** Whether a folder of another suite may be gone on with. */
  readonly otherSuite: boolean;
  readonly only: CellFilter;
  /** As a run would say them. */
  readonly onNote: (note: string) => void;
}

/**
 * What a run with these options would do with each of its cells, and an estimate of what that takes. Loads no weights, runs nothing but a short trial of the machine; what a run refuses (a model that is not there, a folder
 * that holds a run) is refused as it does.
 */
export async function dryRun(options: DryRunOptions): Promise<DryRun> {
  const { suite, folder: suiteFolder } = loadSuite(options.suitePath, { generatedTasks: TASK_NAMES });
  const folder = runFolder({ suiteName: suite.name, ...options });
  const cells = selectCells(expandCells(suite), options.only);
  const config = locatedModelConfig(suite.model.path);
  const note = beyondPositions(suite, cells, config);
  if (note !== null) options.onNote(note);
  const log = recordsOfFolder(folder, suite.name, options);
  const backend = await createBackend(suite.backend);
  try {
    const weightsHash = await modelHash(suite.model.path);
    const identity = await captureIdentity({ suite, suiteFolder, weightsHash, device: backend.description });
    const prompts = promptParts(suite.model.path);
    const states = await cellStates(cells, { suite, suiteFolder, identity, log, shape: config, prompts });
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
  if (!options.otherSuite) refuseOtherSuite(folder, records, suiteName);
  return new RecordLog(records);
}

/** Tokenizer and template of a model that is not loaded. */
function promptParts(path: string): StatesInput['prompts'] {
  const folder = modelFolder(path);
  if (folder === null || !existsSync(join(folder, 'tokenizer.json'))) return null;
  return { name: basename(resolve(folder)), tokenizer: Tokenizer.read(folder), chatTemplate: ChatTemplate.read(folder) };
}
