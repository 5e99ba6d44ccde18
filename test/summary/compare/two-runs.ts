import { contentHash } from '../../../src/core/hash.ts';
import type { RecordOf, RunRecord } from '../../../src/records/record.ts';
import { recordsOf } from '../../../src/records/record.ts';
import type { Suite } from '../../../src/suite/schema.ts';
import type { SideInput } from '../../../src/summary/compare/sides.ts';
import { syntheticRecords, syntheticSuite } from '../../report/synthetic-run.ts';

const METHODS = ['dense', 'uniform-50', 'moa-50'] as const;

/** A small made-up suite of three methods. */
export function smallSuite(samples = 20): Suite {
  return syntheticSuite({ samples, methods: METHODS });
}

/** A run of the suite as a side of a comparison; without an edit, the same every time. */
export function sideInput(folder: string, { suite = smallSuite(), edit = (record) => record }: SideOptions = {}): SideInput {
  const records = recordsOfSuite(suite).flatMap((record) => edit(record) ?? []);
  const [run] = recordsOf(records, 'run');
  if (run === undefined) throw new Error('the synthetic run has a run record');
  return { folder, run, records, suite };
}

interface SideOptions {
  readonly suite?: Suite;
  /** What a record becomes; null leaves it out. */
  readonly edit?: (record: RunRecord) => RunRecord | null;
}

/** Made once a suite: a hundred comparisons of the same run need not make it a hundred times. */
const made = new Map<string, readonly RunRecord[]>();

function recordsOfSuite(suite: Suite): readonly RunRecord[] {
  const key = contentHash(suite);
  const records = made.get(key) ?? syntheticRecords(suite);
  made.set(key, records);
  return records;
}

/** An edit of the records of one kind, of all methods or one. */
export function editing<K extends RunRecord['kind']>(kind: K, change: (record: RecordOf<K>) => RunRecord | null, method?: string) {
  return (record: RunRecord): RunRecord | null => {
    if (record.kind !== kind || (method !== undefined && 'method' in record && record.method !== method)) return record;
    return change(record as RecordOf<K>);
  };
}
