import type { OnProgress } from '../core/progress.ts';
import type { LanguageModel } from '../model/inference/language-model.ts';
import type { Plan } from '../plan/schema.ts';
import type { RecordStore } from '../records/store.ts';
import type { Suite } from '../suite/schema.ts';
import type { Identity } from './identity.ts';
import type { Stretch } from './stretch.ts';

/** What every stage of a run shares. */
export interface RunContext {
  readonly suite: Suite;
  /** Folder of the suite file: paths in the suite are relative to it. */
  readonly suiteFolder: string;
  /** The run folder. */
  readonly folder: string;
  readonly model: LanguageModel;
  readonly identity: Identity;
  readonly store: RecordStore;
  /** The stretch of measuring that every measurement names: `stretch: context.stretch.open()`. */
  readonly stretch: Stretch;
  /** Plans by method id, filled by the plan stage. */
  readonly plans: Map<string, Plan>;
  /** One sentence for each op that ran on another kernel than the intended one, in this process or in a timing process. */
  readonly substitutions: Set<string>;
  readonly signal: AbortSignal;
  readonly onProgress: OnProgress;
  /** Things the user should know as they happen, one sentence each. */
  readonly onNote: (note: string) => void;
}

/** ISO time for record lines. */
export function now(): string {
  return new Date().toISOString();
}
