import type { Environment } from './environment.ts';
import { type RecordOf, type RunRecord, recordsOf, WITHOUT_PLAN } from './record.ts';

/** A stretch of measuring of which something counts. */
export interface StretchUse {
  readonly id: string;
  /** Captured when the process began. */
  readonly environment: Environment;
  /** How many records of it count, and how many of them are timings. */
  readonly records: number;
  readonly timings: number;
  /** null: the process was killed. */
  readonly end: RecordOf<'stretchEnd'> | null;
}

/** The records that count: of superseded cells nothing, of a sample scored twice the last. */
export interface Selection {
  readonly run: RecordOf<'run'> | null;
  readonly plans: readonly RecordOf<'plan'>[];
  readonly profiles: readonly RecordOf<'profile'>[];
  readonly fronts: readonly RecordOf<'front'>[];
  readonly samples: readonly RecordOf<'sample'>[];
  readonly losses: readonly RecordOf<'loss'>[];
  readonly measurements: readonly RecordOf<'measurement'>[];
  readonly capacities: readonly RecordOf<'capacity'>[];
  readonly outcomes: readonly RecordOf<'outcome'>[];
  /** When and where that was measured, in file order; what version 1 recorded is of unknown stretches. */
  readonly stretches: readonly StretchUse[];
  /** Whether something that counts names no recorded stretch. */
  readonly unknownStretch: boolean;
  /** Methods in the order of their first record. */
  readonly methods: readonly string[];
}

/**
 * Picks what a report is made of. A cell that ran again under another hash (its inputs changed) supersedes the earlier one of the same id;
 * `cells`, when given, are the hashes of the suite as it is now, and all others are left out.
 */
export function selectRecords(records: readonly RunRecord[], cells?: ReadonlySet<string>): Selection {
  const latest = latestOutcomes(recordsOf(records, 'outcome'));
  const current = new Set([...latest.values()].map((outcome) => outcome.cell));
  const superseded = new Set(recordsOf(records, 'outcome').flatMap((outcome) => (current.has(outcome.cell) ? [] : [outcome.cell])));
  const counts = (record: RunRecord): boolean =>
    !('cell' in record) || (!superseded.has(record.cell) && (cells === undefined || cells.has(record.cell)));
  const kept = records.filter(counts);
  const lastOf = <R extends { readonly cell: string }>(list: readonly R[], key: (record: R) => string): R[] => [
    ...new Map(list.map((record) => [`${record.cell}/${key(record)}`, record])).values(),
  ];
  return {
    run: recordsOf(kept, 'run').at(-1) ?? null,
    plans: [...new Map(recordsOf(kept, 'plan').map((plan) => [plan.method, plan])).values()],
    profiles: lastOf(recordsOf(kept, 'profile'), (profile) => String(profile.tokens)),
    fronts: lastOf(recordsOf(kept, 'front'), (front) => front.method),
    samples: lastOf(recordsOf(kept, 'sample'), (sample) => sample.sampleId),
    losses: lastOf(recordsOf(kept, 'loss'), (loss) => loss.sampleId),
    measurements: lastOf(recordsOf(kept, 'measurement'), (m) => `${m.measure}/${m.cache}/${m.contextTokens}/${m.batch}`),
    capacities: lastOf(recordsOf(kept, 'capacity'), (capacity) => capacity.cache),
    outcomes: [...latest.values()].filter(counts),
    ...stretchesOf(kept),
    methods: [...new Set(kept.flatMap((record) => ('method' in record ? [record.method] : [])))],
  };
}

/** By cell id. What was skipped for want of a plan says nothing any more once there is one: those cells did not run. */
function latestOutcomes(outcomes: readonly RecordOf<'outcome'>[]): Map<string, RecordOf<'outcome'>> {
  const latest = new Map<string, RecordOf<'outcome'>>();
  for (const outcome of outcomes) {
    latest.set(outcome.cellId, outcome);
    if (outcome.status !== 'completed' || outcome.cellId !== `plan/${outcome.method}`) continue;
    for (const [id, { cell, method }] of latest) if (cell === WITHOUT_PLAN && method === outcome.method) latest.delete(id);
  }
  return latest;
}

/** The stretches of the records that count, and what each measured. A stretch whose records are all superseded is not among them. */
function stretchesOf(records: readonly RunRecord[]): Pick<Selection, 'stretches' | 'unknownStretch'> {
  const measured = records.flatMap((record) => ('stretch' in record && record.kind !== 'stretchEnd' ? [record] : []));
  const ends = new Map(recordsOf(records, 'stretchEnd').map((end) => [end.stretch, end]));
  const known = recordsOf(records, 'stretch');
  const stretches = known.flatMap(({ id, environment }) => {
    const own = measured.filter((record) => record.stretch === id);
    const timings = own.filter(({ kind }) => kind === 'measurement').length;
    return own.length === 0 ? [] : [{ id, environment, records: own.length, timings, end: ends.get(id) ?? null }];
  });
  const ids = new Set(known.map(({ id }) => id));
  return { stretches, unknownStretch: measured.some((record) => !ids.has(record.stretch)) };
}
