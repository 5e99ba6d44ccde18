import type { ArmSpec, CheckSpec, KernelSpec } from '../../peers/kernel-protocol.ts';

export const SECTIONS = ['decode', 'prefill', 'gradient', 'gemm', 'rows', 'sweep'] as const;
export type Section = (typeof SECTIONS)[number];

/** The rates that bound a kernel: TB/s of reading, TB/s of copying (bytes read + bytes written), TFLOP/s of bf16 matrix products. */
export type CeilingName = 'read' | 'copy' | 'gemm';

/** What a call must do: the bytes that it must move once, or the floating-point operations on visible (query, key) pairs. */
export type Work = { readonly bytes: number; readonly ceiling: CeilingName } | { readonly flop: number; readonly ceiling: CeilingName };

/**
 * A bound for a figure: the share of the ceiling, 0..1, or the ratio time of `top` / time of `bottom`. `dividedBy`: the work of `top` relative to that of
 * `bottom`, by which the ratio is divided.
 */
export type Target = { readonly name: string } & ({ readonly atLeast: number } | { readonly atMost: number }) &
  ({ readonly of: 'share of the ceiling' } | { readonly of: readonly [top: string, bottom: string]; readonly dividedBy?: number });

/** A timed shape with its contenders; the first is ours. */
export interface KernelCase {
  readonly section: Section;
  readonly name: string;
  readonly spec: KernelSpec;
  readonly arms: readonly ArmSpec[];
  readonly work: Work | null;
  readonly note?: string;
  readonly rounds: number;
  /** The largest error of our kernel against a reference at this shape, relative to the largest magnitude; null: it is not compared. */
  readonly limit: number | null;
  /** Prefixes of the names of checks. When one of these checks failed, the case is not timed. */
  readonly needs: readonly string[];
  readonly targets?: readonly Target[];
}

/** A measurement of a ceiling. The ceiling is the rate of the best arm. */
export interface CeilingCase {
  readonly ceiling: CeilingName;
  readonly spec: KernelSpec;
  readonly arms: readonly ArmSpec[];
  readonly work: { readonly bytes: number } | { readonly flop: number };
  readonly rounds: number;
}

/** A small shape that is compared with float64. */
export interface KernelCheck {
  readonly name: string;
  readonly spec: CheckSpec;
  /** The largest error that is allowed, by the name of the finding. */
  readonly limits: Readonly<Record<string, number>>;
}

export interface CaseOptions {
  /** Whether to time fewer rounds. */
  readonly quick: boolean;
  /** Divides lengths and batches, so that everything can be tried on a small device. */
  readonly shrink: number;
}

/** Rounds of a case. headline: the main comparisons; usual: all other comparisons, and the ceilings; few: cases that only give a picture. */
export function roundsOf({ quick }: CaseOptions): { readonly headline: number; readonly usual: number; readonly few: number } {
  return quick ? { headline: 12, usual: 10, few: 6 } : { headline: 40, usual: 20, few: 6 };
}

/** `tokens` divided by `shrink`, rounded down to whole blocks of 64 tokens; at least 128, the shortest length that a span fits into. */
export function shrunkTokens(tokens: number, { shrink }: CaseOptions): number {
  return Math.max(Math.floor(tokens / shrink / 64) * 64, 128);
}

export function shrunkBatch(batch: number, { shrink }: CaseOptions): number {
  return Math.max(Math.floor(batch / shrink), 1);
}
