import { existsSync } from 'node:fs';
import { RecordStore } from '../records/store.ts';
import { numbered } from '../summary/phrases.ts';
import { alreadyHoldsRun, checkRunFolder, recordsPath, refuseOtherSuite } from './run-folder.ts';

export interface OpenOptions {
  readonly suiteName: string;
  readonly resume: boolean;
  /** Whether the run may continue in a folder that holds the run of another suite. */
  readonly otherSuite?: boolean;
  readonly onNote: (note: string) => void;
}

/** The log of the folder, with its writer lock. Checks again that the folder holds no other run: one may have begun since the folder was chosen. */
export function openStore(folder: string, { suiteName, resume, otherSuite, onNote }: OpenOptions): RecordStore {
  if (existsSync(folder)) checkRunFolder(folder);
  const store = RecordStore.open(recordsPath(folder));
  try {
    if (!resume && store.records.length > 0) throw alreadyHoldsRun(folder);
    if (otherSuite !== true) refuseOtherSuite(folder, store.records, suiteName);
  } catch (error) {
    store.close();
    throw error;
  }
  if (store.damaged.length > 0) onNote(damageNote(store.damaged));
  if (store.torn !== null) onNote(`The last record was cut off by an earlier stop (${store.torn.bytes} bytes); it is measured again.`);
  return store;
}

/** At most so many damaged lines are named in a note. */
const SHOWN = 5;

/** The note about damaged lines. `lines`: their numbers. */
export function damageNote(lines: readonly number[]): string {
  const names = `${lines.slice(0, SHOWN).join(', ')}${lines.length > SHOWN ? ', ...' : ''}`;
  const are =
    lines.length === 1
      ? `Line ${names} of records.jsonl is damaged and was left out`
      : `${numbered(lines.length, 'line')} of records.jsonl are damaged and were left out (${names})`;
  return `${are}; what was measured there is measured again.`;
}
