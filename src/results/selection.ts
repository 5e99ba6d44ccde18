import { type RecordOf, type RunRecord, recordsOf, WITHOUT_PLAN } from './record.ts';

/** The records that count: of superseded cells nothing, of a sample scored twice the last. */
export interface Selection {
  readonly run: RecordOf<'run'> | null;
  readonly plans: readonly RecordOf<'plan'>[];
  readonly profiles: readonly RecordOf<'profile'>[];
  readonly fronts: readonly RecordOf<'front'>[];
  readonly samples: readonly RecordOf<'sample'>[];
  readonly losses: readonly RecordOf<'loss'>[];
  /** One for each condition. */
  readonly data: readonly RecordOf<'data'>[];
  /** One a cell and process. */
  readonly measurements: readonly RecordOf<'measurement'>[];
  /** What did not fit into memory, one a cell. */
  readonly unfit: readonly RecordOf<'unfit'>[];
  readonly capacities: readonly RecordOf<'capacity'>[];
  readonly outcomes: readonly RecordOf<'outcome'>[];
  /** What ran on another kernel than the one meant for it: sentences. null: none is known, and not every run has told. */
  readonly substitutions: readonly string[] | null;
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
    data: [...new Map(recordsOf(kept, 'data').map((data) => [`${data.part}/${data.task}/${data.length}`, data])).values()],
    measurements: lastOf(recordsOf(kept, 'measurement'), (m) => String(m.process)),
    unfit: lastOf(recordsOf(kept, 'unfit'), () => ''),
    capacities: lastOf(recordsOf(kept, 'capacity'), (capacity) => capacity.cache),
    outcomes: [...latest.values()].filter(counts),
    substitutions: substitutionsOf(kept),
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

/** A run tells when it ends, of all that it did: an empty list is a finding only where it follows whatever counts, and the last run. */
function substitutionsOf(records: readonly RunRecord[]): readonly string[] | null {
  const sentences = new Set(recordsOf(records, 'substitutions').flatMap((record) => record.sentences));
  if (sentences.size > 0) return [...sentences];
  const kinds = records.map((record) => record.kind);
  if (kinds.lastIndexOf('substitutions') <= kinds.lastIndexOf('run')) return null;
  let told = false;
  for (const kind of kinds.toReversed()) {
    if (kind === 'substitutions') told = true;
    else if (kind === 'run') told = false;
    else if (!told) return null;
  }
  return [];
}
