import { performance } from 'node:perf_hooks';
import type { CellsInFlight } from '../core/progress.ts';

/** When less than this share of the running cells is done, the time that they took so far says less than their estimate. */
const TELLING_SHARE = 0.05;

/** Work without a known share that overruns its estimate is expected to need this fraction of its elapsed time more. */
const OVERRUN = 0.2;

interface Visit {
  readonly key: string;
  readonly cells: CellsInFlight;
  readonly startedMs: number;
  /** The share of the cells that was done when this visit began. Timed cells are visited again in every process. */
  readonly shareBefore: number;
}

/** What cells were estimated to take, and what they took. */
interface Spent {
  estimated: number;
  real: number;
}

/**
 * How long a run still takes: the estimates of its open cells, corrected by the real time of the cells that already ran. The correction of a cell comes from
 * the cells of its kind (the part of an id before the first slash), or from all cells when none of its kind ran.
 */
export class RunClock {
  readonly #seconds: ReadonlyMap<string, number>;
  readonly #now: () => number;
  readonly #shares = new Map<string, number>();
  readonly #spent = new Map<string, Spent>();
  readonly #all: Spent = { estimated: 0, real: 0 };
  #visit: Visit | null = null;

  /** `seconds`: the estimate of each open cell, by its id. `now`: a clock in ms. */
  constructor(seconds: ReadonlyMap<string, number>, now: () => number = () => performance.now()) {
    this.#seconds = seconds;
    this.#now = now;
  }

  /** Seconds that the run still takes, while `cells` are running. `hasEnded`: whether a cell completed, failed or was skipped. */
  secondsLeft(cells: CellsInFlight, hasEnded: (id: string) => boolean): number {
    const key = cells.ids.join(' ');
    if (this.#visit?.key !== key) {
      this.#leave(hasEnded);
      this.#visit = { key, cells, startedMs: this.#now(), shareBefore: cells.share ?? 0 };
    }
    this.#visit = { ...this.#visit, cells };
    for (const id of cells.ids) this.#shares.set(id, cells.share ?? 0);
    const others = [...this.#seconds].filter(([id]) => !cells.ids.includes(id) && !hasEnded(id));
    return (
      this.#left(this.#visit) + others.reduce((sum, [id, seconds]) => sum + seconds * this.#correction(id) * (1 - this.#shareOf(id)), 0)
    );
  }

  /** Seconds left of the running cells: from their own pace when enough of them is done (TELLING_SHARE), before that from their estimate. */
  #left({ cells, startedMs, shareBefore }: Visit): number {
    const elapsed = (this.#now() - startedMs) / 1000;
    const estimated = cells.ids.reduce((sum, id) => sum + (this.#seconds.get(id) ?? 0) * this.#correction(id), 0);
    if (cells.share === null) return Math.max(estimated - elapsed, OVERRUN * elapsed);
    const done = cells.share - shareBefore;
    return done < TELLING_SHARE ? estimated * (1 - cells.share) : (elapsed / done) * (1 - cells.share);
  }

  /** Ends the visit of the running cells: the time that they took corrects the estimates of others. */
  #leave(hasEnded: (id: string) => boolean): void {
    if (this.#visit === null) return;
    const { cells, startedMs, shareBefore } = this.#visit;
    const real = (this.#now() - startedMs) / 1000;
    const share = cells.ids.every(hasEnded) ? 1 : (cells.share ?? 0);
    const estimated = cells.ids.reduce((sum, id) => sum + (this.#seconds.get(id) ?? 0), 0) * (share - shareBefore);
    const kind = kindOf(cells.ids[0] ?? '');
    const own = this.#spent.get(kind) ?? { estimated: 0, real: 0 };
    this.#spent.set(kind, own);
    for (const spent of estimated > 0 ? [own, this.#all] : []) {
      spent.estimated += estimated;
      spent.real += real;
    }
  }

  #shareOf(id: string): number {
    return this.#shares.get(id) ?? 0;
  }

  #correction(id: string): number {
    const own = this.#spent.get(kindOf(id));
    const { estimated, real } = own !== undefined && own.estimated > 0 ? own : this.#spentSoFar();
    return estimated > 0 ? real / estimated : 1;
  }

  /** What all cells took so far. The running cells count when their share is not known and they have overrun their estimate. */
  #spentSoFar(): Spent {
    if (this.#visit === null || this.#visit.cells.share !== null) return this.#all;
    const estimated = this.#visit.cells.ids.reduce((sum, id) => sum + (this.#seconds.get(id) ?? 0), 0);
    const real = (this.#now() - this.#visit.startedMs) / 1000;
    return real <= estimated ? this.#all : { estimated: this.#all.estimated + estimated, real: this.#all.real + real };
  }
}

function kindOf(id: string): string {
  return id.slice(0, id.indexOf('/'));
}
