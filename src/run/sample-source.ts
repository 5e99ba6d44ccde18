import { join, resolve } from 'node:path';
import { MoaError } from '../core/errors.ts';
import { longBenchDataset } from '../data/readers/longbench-datasets.ts';
import { LONGEVAL_NEW_TOKENS } from '../data/readers/longeval.ts';
import { taskNamed } from '../data/tasks.ts';
import type { QualityCell } from '../suite/cells.ts';
import type { Suite } from '../suite/schema.ts';

/** Where the samples of a condition come from. */
export interface SampleSource {
  readonly reader: 'generated' | 'longeval' | 'longbench';
  /** The file as the suite names it, and where it is; null for generated samples. */
  readonly file: { readonly name: string; readonly path: string } | null;
  /** Most new tokens of an answer. */
  readonly newTokens: number;
  /** Most tokens of a prompt. A cell's length is N = prompt + reserve, at which spans and budgets are fixed; a reserve set by the suite comes on top of it. */
  readonly promptTokens: number;
  /** The longest sequence: what positions must reach. */
  readonly sequenceTokens: number;
}

type Condition = Pick<QualityCell, 'kind' | 'task' | 'length'>;

/** @throws MoaError NOT_FOUND for a task or data set that does not exist, INVALID_ARGUMENT where the suite has no file for the length. */
export function sampleSource(condition: Condition, suite: Suite, suiteFolder: string): SampleSource {
  const { reader, name, newTokens } = origin(condition, suite);
  const isOnTop = suite.generation.reserveTokens !== undefined;
  return {
    reader,
    file: name === null ? null : { name, path: resolve(suiteFolder, name) },
    newTokens,
    promptTokens: condition.length - (isOnTop ? 0 : newTokens),
    sequenceTokens: condition.length + (isOnTop ? newTokens : 0),
  };
}

function origin(
  { kind, task, length }: Condition,
  { quality }: Suite,
): { reader: SampleSource['reader']; name: string | null; newTokens: number } {
  const source = kind === 'retrieval' ? quality?.retrieval?.source : kind === 'longbench' ? quality?.longbench?.source : undefined;
  if (source?.kind === 'longeval') {
    const file = source.files.find((f) => f.length === length);
    if (file === undefined) throw new MoaError(`Expected a LongEval file for length ${length}`, { code: 'INVALID_ARGUMENT' });
    return { reader: 'longeval', name: file.path, newTokens: LONGEVAL_NEW_TOKENS };
  }
  if (source?.kind === 'longbench') {
    return { reader: 'longbench', name: join(source.folder, `${task}.jsonl`), newTokens: longBenchDataset(task).maxNewTokens };
  }
  return { reader: 'generated', name: null, newTokens: taskNamed(task).maxNewTokens };
}
