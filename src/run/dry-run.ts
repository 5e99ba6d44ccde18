import { existsSync } from 'node:fs';
import type { PromptModel } from '../data/readers/prompt-model.ts';
import { TASK_NAMES } from '../data/tasks.ts';
import { userTurn } from '../model/chat-template.ts';
import { requireTokenizer } from '../model/language-model.ts';
import { checkModel, type ModelText, modelHash } from '../model/load.ts';
import { createBackend } from '../native/backends.ts';
import { loadPlan } from '../plan/file.ts';
import { type RunRecord, recordsOf } from '../results/record.ts';
import { readRecords } from '../results/store.ts';
import { type Cell, expandCells } from '../suite/cells.ts';
import { type LoadedSuite, loadSuite } from '../suite/load.ts';
import { beyondPositions } from './beyond-positions.ts';
import { cellHash, type Identity, planCellHash } from './cell-hash.ts';
import { checkData, shortages } from './check-data.ts';
import { planPath } from './make-plans.ts';
import { modelText, templateDate } from './model-text.ts';
import { recordsPath, runFolder } from './run-folder.ts';
import { type CellFilter, selectCells } from './select-cells.ts';

export interface PlannedCell {
  readonly id: string;
  readonly kind: Cell['kind'];
  readonly method: string;
  /** `done`: will not run again. `partial`: goes on after the recorded samples. */
  readonly status: 'done' | 'partial' | 'to do';
  readonly samplesDone: number;
}

export interface DryRunOptions {
  readonly suitePath: string;
  readonly out?: string;
  readonly resume: boolean;
  readonly only: CellFilter;
  readonly allowOutside?: boolean;
  /** As a run would say them. */
  readonly onNote: (note: string) => void;
}

/**
 * The cells that a run with these options would have, and which of them the folder already holds. Loads no weights, runs nothing; a model that
 * is not there is refused as a run refuses it.
 */
export async function dryRun(options: DryRunOptions): Promise<readonly PlannedCell[]> {
  const loaded = loadSuite(options.suitePath, { generatedTasks: TASK_NAMES, allowOutside: options.allowOutside === true });
  const { suite } = loaded;
  const folder = options.resume || options.out !== undefined ? runFolder({ ...options, suiteName: suite.name, resume: true }) : null;
  const records = folder !== null && existsSync(recordsPath(folder)) ? readRecords(recordsPath(folder)).records : [];
  const cells = selectCells(expandCells(suite), options.only);
  const { config, text } = await checkModel(suite.model.path, modelText(suite, cells, templateDate(records)));
  const note = beyondPositions(suite, cells, config);
  if (note !== null) options.onNote(note);
  const facts = await checkData({ suite, suiteFolder: loaded.folder, cells, model: () => promptModel(text) });
  for (const sentence of shortages(facts)) options.onNote(sentence);
  if (records.length === 0 || folder === null) return cells.map((cell) => planned(cell, null, records));
  const backend = await createBackend(suite.backend);
  try {
    const identity = { weightsHash: await modelHash(suite.model.path), device: backend.description };
    return cells.map((cell) => planned(cell, hashOf(cell, { loaded, identity, folder }), records));
  } finally {
    await backend.dispose();
  }
}

function promptModel(text: ModelText): PromptModel {
  return { tokenizer: requireTokenizer(text.name, text.tokenizer), wrapUser: userTurn(text) };
}

function hashOf(cell: Cell, { loaded, identity, folder }: { loaded: LoadedSuite; identity: Identity; folder: string }): string | null {
  if (cell.kind === 'plan') return planCellHash(cell, loaded.suite, loaded.folder, identity);
  const path = planPath(folder, cell.method);
  return existsSync(path) ? cellHash(cell, loaded.suite, identity, loadPlan(path)) : null;
}

function planned(cell: Cell, hash: string | null, records: readonly RunRecord[]): PlannedCell {
  const own = records.filter((r) => 'cell' in r && r.cell === hash);
  const samplesDone = own.filter((r) => r.kind === 'sample' || r.kind === 'loss').length;
  const done = recordsOf(own, 'outcome').at(-1)?.status === 'completed';
  return { id: cell.id, kind: cell.kind, method: cell.method, status: done ? 'done' : samplesDone > 0 ? 'partial' : 'to do', samplesDone };
}
