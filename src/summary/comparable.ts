import { groupBy } from '../core/group-by.ts';
import type { Selection } from './selection.ts';

/** The fields that tell a scored sample from the others of its part. */
interface Scored {
  readonly method: string;
  readonly task: string;
  readonly length: number;
  readonly sampleId: string;
}

/** Which cells are whole, and under which conditions all methods can be compared. */
export interface Comparable {
  /** Whether this sample's cell completed and has every sample that any method has under the same condition (task and length). */
  readonly isWhole: (sample: Omit<Scored, 'sampleId'>) => boolean;
  /** Whether all methods that take part have a whole cell under this sample's condition. Means and comparisons are over these conditions. */
  readonly isCommon: (sample: Pick<Scored, 'task' | 'length'>) => boolean;
}

/**
 * Which cells of a part are whole, and under which conditions all methods can be compared. A method without any whole cell takes no part: it has no mean, and it
 * does not keep the others from being compared.
 */
export function comparable(part: 'retrieval' | 'longbench' | 'perplexity', selection: Selection): Comparable {
  const scored: readonly Scored[] = part === 'perplexity' ? selection.losses : selection.samples.filter((sample) => sample.part === part);
  const ended = new Set(selection.outcomes.flatMap((outcome) => (outcome.status === 'completed' ? [outcome.cellId] : [])));
  const whole = new Set<string>();
  const conditions = [...groupBy(scored, conditionOf)].map(([condition, samples]) => {
    const all = new Set(samples.map(({ sampleId }) => sampleId)).size;
    const methods = [...groupBy(samples, ({ method }) => method)].flatMap(([method, own]) => {
      const ids = new Set(own.map(({ sampleId }) => sampleId));
      return ids.size === all && ended.has(`${part}/${condition}/${method}`) ? [method] : [];
    });
    for (const method of methods) whole.add(`${condition}/${method}`);
    return { condition, methods };
  });
  const taking = new Set(conditions.flatMap(({ methods }) => methods)).size;
  const common = new Set(conditions.flatMap(({ condition, methods }) => (taking > 0 && methods.length === taking ? [condition] : [])));
  return {
    isWhole: (sample) => whole.has(`${conditionOf(sample)}/${sample.method}`),
    isCommon: (sample) => common.has(conditionOf(sample)),
  };
}

function conditionOf({ task, length }: Pick<Scored, 'task' | 'length'>): string {
  return `${task}/${length}`;
}
