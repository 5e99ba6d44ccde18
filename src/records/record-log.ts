import type { RecordOf, RunRecord } from './record.ts';

/** Records of a run in file order, found by what they are about. */
export class RecordLog {
  readonly #records: RunRecord[] = [];
  readonly #byCell = new Map<string, RunRecord[]>();
  readonly #addresses = new Map<string, RecordOf<'cell'>>();
  readonly #sets = new Map<string, ReadonlySet<string>>();

  constructor(records: readonly RunRecord[] = []) {
    for (const record of records) this.add(record);
  }

  /** All records, in file order. */
  get records(): readonly RunRecord[] {
    return this.#records;
  }

  /** The newest address of every cell id. Empty in version 1. */
  get addresses(): ReadonlyMap<string, RecordOf<'cell'>> {
    return this.#addresses;
  }

  add(record: RunRecord): void {
    this.#records.push(record);
    if (record.kind === 'sampleSet') this.#sets.set(record.set, new Set(record.samples));
    if (record.kind === 'cell') this.#addresses.set(record.cellId, record);
    else if ('cell' in record) {
      const own = this.#byCell.get(record.cell);
      if (own === undefined) this.#byCell.set(record.cell, [record]);
      else own.push(record);
    }
  }

  /** What was measured of a cell and how it ended, by its content hash. */
  ofCell(cell: string): readonly RunRecord[] {
    return this.#byCell.get(cell) ?? [];
  }

  /** How a cell ended last; undefined while it is unfinished. */
  outcomeOf(cell: string): RecordOf<'outcome'> | undefined {
    return this.ofCell(cell).findLast((record): record is RecordOf<'outcome'> => record.kind === 'outcome');
  }

  /** The contents of a set of samples, once they are on record. */
  samplesOf(set: string): ReadonlySet<string> | undefined {
    return this.#sets.get(set);
  }

  /** Contents of the samples that a cell has scored. */
  scored(cell: string): ReadonlySet<string> {
    return new Set(this.ofCell(cell).flatMap((record) => (record.kind === 'sample' || record.kind === 'loss' ? [record.content] : [])));
  }

  /** Whether a cell was closed with a result, and the result is there: a damaged line may have taken it. `set`: the samples that it asks for. */
  isDone(cell: string, set: string | null): boolean {
    if (this.outcomeOf(cell)?.status !== 'completed') return false;
    if (set === null) return this.ofCell(cell).some(({ kind }) => kind !== 'outcome' && kind !== 'profile' && kind !== 'front');
    const asked = this.samplesOf(set);
    const scored = this.scored(cell);
    return asked !== undefined && [...asked].every((content) => scored.has(content));
  }
}
