import { resolve } from 'node:path';
import { longBenchDataset } from '../data/readers/longbench-datasets.ts';
import { LONGEVAL_NEW_TOKENS } from '../data/readers/longeval.ts';
import { taskNamed } from '../data/tasks.ts';
import type { CellSource, QualityCell } from '../suite/cells.ts';
import type { Suite } from '../suite/schema.ts';

/** Where the samples of a condition come from. */
export interface SampleSource {
  readonly reader: CellSource['kind'];
  /** The file as the suite names it, and where it is; null for generated samples. */
  readonly file: { readonly name: string; readonly path: string } | null;
  /** Most new tokens of an answer. */
  readonly newTokens: number;
  /** Most tokens of a prompt. A cell's length is N = prompt + reserve, at which spans and budgets are fixed; a reserve set by the suite comes on top of it. */
  readonly promptTokens: number;
  /** The longest sequence: what positions must reach. */
  readonly sequenceTokens: number;
}

type Condition = Pick<QualityCell, 'source' | 'task' | 'length'>;

/** @throws MoaError NOT_FOUND for a task or data set that does not exist. */
export function sampleSource({ source, task, length }: Condition, suite: Suite, suiteFolder: string): SampleSource {
  const newTokens = newTokensOf(source, task);
  const isOnTop = suite.generation.reserveTokens !== undefined;
  return {
    reader: source.kind,
    file: source.kind === 'generated' ? null : { name: source.path, path: resolve(suiteFolder, source.path) },
    newTokens,
    promptTokens: length - (isOnTop ? 0 : newTokens),
    sequenceTokens: length + (isOnTop ? newTokens : 0),
  };
}

function newTokensOf({ kind }: CellSource, task: string): number {
  switch (kind) {
    case 'generated':
      return taskNamed(task).maxNewTokens;
    case 'longeval':
      return LONGEVAL_NEW_TOKENS;
    case 'longbench':
      return longBenchDataset(task).maxNewTokens;
  }
}
