/** A step of long work, for progress bars and logs. `done` of `total` units; total is exact or a good estimate. */
export interface Progress {
  readonly stage: string;
  readonly done: number;
  readonly total: number;
  /** What is in flight, e.g. `moa-50 lines 4096`. */
  readonly detail?: string;
  /** The cells of a run that this is part of. */
  readonly of?: CellsInFlight;
  /** How long the whole run still takes, estimated; absent where that is not known. */
  readonly runSecondsLeft?: number;
}
/** Told of each step; it is called often and must return at once. */
export type OnProgress = (progress: Progress) => void;

export interface CellsInFlight {
  readonly ids: readonly string[];
  /** How much of their work is done, 0..1; null where only the time tells. */
  readonly share: number | null;
}
