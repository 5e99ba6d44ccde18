import { resolve } from 'node:path';
import { longBenchDataset } from '../data/readers/longbench-datasets.ts';
import { LONGEVAL_NEW_TOKENS } from '../data/readers/longeval.ts';
import { taskNamed } from '../data/tasks.ts';
import type { CellSource, QualityCell } from '../suite/cells.ts';
import type { Suite } from '../suite/schema.ts';

/** Where the samples of a condition come from. */
export interface SampleSource {
  readonly reader: CellSource['kind'];
  /** The file: its name in the suite, and its path. Null for generated samples. */
  readonly file: { readonly name: string; readonly path: string } | null;
  /** Most new tokens of an answer. */
  readonly newTokens: number;
  /**
   * Most tokens of a prompt. Spans and budgets are fixed at N, the cell's length, which is prompt + reserve. When the suite sets the reserve, the prompt may
   * have N tokens, and the reserve comes on top.
   */
  readonly promptTokens: number;
  /** Tokens of the longest sequence; the model's positions must reach so far. */
  readonly sequenceTokens: number;
}

type Condition = Pick<QualityCell, 'source' | 'task' | 'length'>;

/** Where the samples of a condition come from, and how long they may be. @throws MoaError NOT_FOUND for a task or data set that does not exist. */
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
