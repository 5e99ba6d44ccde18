import type { Environment } from '../records/environment.ts';
import { type RecordOf, type RunRecord, recordsOf } from '../records/record.ts';
import { RecordLog } from '../records/record-log.ts';
import { expandCells } from '../suite/cells.ts';
import type { Suite } from '../suite/schema.ts';

/** A stretch of measuring that made at least one of the records that count. */
export interface StretchUse {
  readonly id: string;
  /** The environment when the process began. */
  readonly environment: Environment;
  /** How many records of this stretch count, and how many of these are timings. */
  readonly records: number;
  readonly timings: number;
  /** null: the process was killed, or still runs. */
  readonly end: RecordOf<'stretchEnd'> | null;
}

/** The records that count. Records of superseded cells do not count, and of a sample that was scored twice only the last record counts. */
export interface Selection {
  readonly run: RecordOf<'run'> | null;
  readonly plans: readonly RecordOf<'plan'>[];
  readonly profiles: readonly RecordOf<'profile'>[];
  readonly fronts: readonly RecordOf<'front'>[];
  readonly samples: readonly RecordOf<'sample'>[];
  readonly losses: readonly RecordOf<'loss'>[];
  /** One record for each condition. */
  readonly data: readonly RecordOf<'data'>[];
  /** One record for each cell and process. */
  readonly measurements: readonly RecordOf<'measurement'>[];
  /** What did not fit into memory: one record for each cell. */
  readonly unfit: readonly RecordOf<'unfit'>[];
  readonly capacities: readonly RecordOf<'capacity'>[];
  readonly outcomes: readonly RecordOf<'outcome'>[];
  /** When and where the records that count were measured, in file order. The stretches of version 1 are unknown. */
  readonly stretches: readonly StretchUse[];
  /** Whether a record that counts names a stretch that is not on record. */
  readonly unknownStretch: boolean;
  /** Ids of methods in the order of their first records. */
  readonly methods: readonly string[];
}

/**
 * The records from which a report is made. For every cell of the suite these are the records under its newest address, and among its samples those that the
 * cell asks for. Records of version 1 have no addresses: all of them count, except those of a cell that ran again under another hash.
 */
export function selectRecords(records: readonly RunRecord[], suite: Suite): Selection {
  const log = new RecordLog(records);
  const cells = log.addresses.size === 0 ? latestCells(records) : addressedCells(log, suite);
  const counts = (record: RunRecord): boolean => {
    if (!('cell' in record) || record.kind === 'cell') return true;
    const asked = cells.get(record.cell);
    if (asked === undefined) return false;
    return asked === 'all' || (record.kind !== 'sample' && record.kind !== 'loss') || asked.has(record.content);
  };
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
    outcomes: [...new Map(recordsOf(kept, 'outcome').map((outcome) => [outcome.cellId, outcome])).values()].filter((o) => isTrue(o, log)),
    ...stretchesOf(kept),
    methods: [...new Set(kept.flatMap((record) => ('method' in record && record.kind !== 'cell' ? [record.method] : [])))],
  };
}

/** Address of a cell -> the content hashes of its samples that count, or `all`. */
type CountedCells = ReadonlyMap<string, ReadonlySet<string> | 'all'>;

function addressedCells(log: RecordLog, suite: Suite): CountedCells {
  const cells = new Map<string, ReadonlySet<string> | 'all'>();
  for (const { id } of expandCells(suite)) {
    const address = log.addresses.get(id);
    if (address === undefined) continue;
    cells.set(address.cell, address.sampleSet === null ? 'all' : (log.samplesOf(address.sampleSet) ?? new Set()));
  }
  return cells;
}

function latestCells(records: readonly RunRecord[]): CountedCells {
  const outcomes = recordsOf(records, 'outcome');
  const current = new Set(new Map(outcomes.map(({ cellId, cell }) => [cellId, cell])).values());
  const superseded = new Set(outcomes.flatMap(({ cell }) => (current.has(cell) ? [] : [cell])));
  return new Map(records.flatMap((record) => ('cell' in record && !superseded.has(record.cell) ? [[record.cell, 'all'] as const] : [])));
}

/**
 * Whether an outcome still holds: it belongs to the address that the cell has now, and, if the cell completed, the results of the cell are still on record.
 */
function isTrue({ cellId, cell, status }: RecordOf<'outcome'>, log: RecordLog): boolean {
  const address = log.addresses.get(cellId);
  if (address === undefined) return log.addresses.size === 0;
  return address.cell === cell && (status !== 'completed' || log.isDone(cell, address.sampleSet));
}

/** The stretches of the records that count, and how much each measured. A stretch is left out when all of its records are superseded. */
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
