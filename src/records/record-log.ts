import type { RecordOf, RunRecord } from './record.ts';

/** The records of a run in file order, with look-ups by cell and by set of samples. */
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

  /** Cell id -> its newest address. Empty for records of version 1, which have no addresses. */
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

  /** All records of a cell (plans, measurements, outcomes), in file order. `cell`: its content hash. */
  ofCell(cell: string): readonly RunRecord[] {
    return this.#byCell.get(cell) ?? [];
  }

  /** The last outcome of a cell; undefined while the cell is unfinished. `cell`: its content hash. */
  outcomeOf(cell: string): RecordOf<'outcome'> | undefined {
    return this.ofCell(cell).findLast((record): record is RecordOf<'outcome'> => record.kind === 'outcome');
  }

  /** The content hashes of a set of samples; undefined when the set is not on record. `set`: its hash. */
  samplesOf(set: string): ReadonlySet<string> | undefined {
    return this.#sets.get(set);
  }

  /** Content hashes of the samples that were scored for a cell. `cell`: its content hash. */
  scored(cell: string): ReadonlySet<string> {
    return new Set(this.ofCell(cell).flatMap((record) => (record.kind === 'sample' || record.kind === 'loss' ? [record.content] : [])));
  }

  /**
   * Whether a cell completed and its results are still on record. A damaged line can have destroyed them. `cell`: its content hash. `set`: the hash of the set
   * of samples that the cell asks for, null when it asks for none.
   */
  isDone(cell: string, set: string | null): boolean {
    if (this.outcomeOf(cell)?.status !== 'completed') return false;
    if (set === null) return this.ofCell(cell).some(({ kind }) => kind !== 'outcome' && kind !== 'profile' && kind !== 'front');
    const asked = this.samplesOf(set);
    const scored = this.scored(cell);
    return asked !== undefined && [...asked].every((content) => scored.has(content));
  }
}
