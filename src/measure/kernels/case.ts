import type { ArmSpec, CheckSpec, KernelSpec } from '../../peers/kernel-protocol.ts';

export const SECTIONS = ['decode', 'prefill', 'gradient', 'gemm', 'rows', 'sweep'] as const;
export type Section = (typeof SECTIONS)[number];

/** What a device reaches at best: TB/s of reading and of copying (read + written), TFLOP/s of bf16 matrix products. */
export type CeilingName = 'read' | 'copy' | 'gemm';

/** What a call must do: bytes that it must move once, or floating-point operations of what is visible. */
export type Work = { readonly bytes: number; readonly ceiling: CeilingName } | { readonly flop: number; readonly ceiling: CeilingName };

/** A figure to reach: the share of the ceiling, or a ratio of two arms' times (`dividedBy`: what makes them comparable). */
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
  /** Of ours against a reference at this shape, relative to the largest magnitude; null: not compared. */
  readonly limit: number | null;
  /** Beginnings of the names of checks: where one failed, the case is not timed. */
  readonly needs: readonly string[];
  readonly targets?: readonly Target[];
}

/** What finds a ceiling: the best of its arms. */
export interface CeilingCase {
  readonly ceiling: CeilingName;
  readonly spec: KernelSpec;
  readonly arms: readonly ArmSpec[];
  readonly work: { readonly bytes: number } | { readonly flop: number };
  readonly rounds: number;
}

/** A small shape against float64. */
export interface KernelCheck {
  readonly name: string;
  readonly spec: CheckSpec;
  /** Of what is found, by its name. */
  readonly limits: Readonly<Record<string, number>>;
}

export interface CaseOptions {
  /** Fewer rounds. */
  readonly quick: boolean;
  /** Divides lengths and batches, to try all of it on a small device. */
  readonly shrink: number;
}

/** Rounds of the cases that are compared with others, of those that are not, and of those that only give a picture. */
export function roundsOf({ quick }: CaseOptions): { readonly headline: number; readonly usual: number; readonly few: number } {
  return quick ? { headline: 12, usual: 10, few: 6 } : { headline: 40, usual: 20, few: 6 };
}

/** A length, made smaller in whole blocks; the smallest that a span fits in is 128. */
export function shrunkTokens(tokens: number, { shrink }: CaseOptions): number {
  return Math.max(Math.floor(tokens / shrink / 64) * 64, 128);
}

export function shrunkBatch(batch: number, { shrink }: CaseOptions): number {
  return Math.max(Math.floor(batch / shrink), 1);
}
