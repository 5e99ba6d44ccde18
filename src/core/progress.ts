/** A step of long work, for progress bars and logs. `done` of `total` units; total is exact or a good estimate. */
export interface Progress {
  readonly stage: string;
  readonly done: number;
  readonly total: number;
  /** What is in flight, e.g. `moa-50 lines 4096`. */
  readonly detail?: string;
}
/** Told of each step; it is called often and must return at once. */
export type OnProgress = (progress: Progress) => void;
