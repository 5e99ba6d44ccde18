import { z } from 'zod';
import { front, plan, profile } from './plan-records.ts';
import { loss, sample } from './quality-records.ts';
import { cell, data, outcome, run, sampleSet, stretch, stretchEnd, substitutions } from './run-records.ts';
import { capacity, measurement, unfit } from './timing-records.ts';

/** The address of a cell whose method has no plan. Nothing that is recorded under it can be reused. */
export const WITHOUT_PLAN = '00000000';

/** One line of records.jsonl. */
export const recordSchema = z.discriminatedUnion('kind', [
  run,
  stretch,
  stretchEnd,
  cell,
  sampleSet,
  plan,
  profile,
  front,
  sample,
  loss,
  data,
  measurement,
  unfit,
  capacity,
  outcome,
  substitutions,
]);
export type RunRecord = z.infer<typeof recordSchema>;
export type RecordKind = RunRecord['kind'];
export type RecordOf<K extends RecordKind> = Extract<RunRecord, { kind: K }>;

/** The records of one kind, in file order. */
export function recordsOf<K extends RecordKind>(records: readonly RunRecord[], kind: K): RecordOf<K>[] {
  return records.filter((record): record is RecordOf<K> => record.kind === kind);
}
