import { BLOCK_TOKENS } from '../core/blocks.ts';
import { invalidArgument } from '../core/errors.ts';
import type { Rule } from '../plan/rule.ts';
import type { Criterion, InfluenceProfile } from './profile.ts';
import { type Pricing, ruleBlocks } from './rule-blocks.ts';

export interface LossTableOptions {
  readonly criterion: Criterion;
  readonly pricing: Pricing;
}

/**
 * Predicted loss change (nats, mean over calibration samples) of giving each (layer, KV head) each rule at the profile's length:
 * [layers, kvHeads, rules]. With `moa` it is the sum of |E_ij| over the masked part (MoA Eq. 4 with the released code's absolute
 * value); with `joint` the first-order effect of masking the far part of each row at once. `pricing` says which window a rule leaves.
 */
export function lossTable(profile: InfluenceProfile, rules: readonly Rule[], { criterion, pricing }: LossTableOptions): Float64Array {
  if (profile.samples === 0) throw invalidArgument('a profile with samples', 'lossTable', profile.samples);
  const rows = profile.layers * profile.kvHeads;
  const table = new Float64Array(rows * rules.length);
  const windows = rules.map((rule) => windowBins(profile, BLOCK_TOKENS * ruleBlocks(rule, profile.length, profile.sink, pricing)));
  for (let row = 0; row < rows; row++) {
    const byWindow = lossByWindow(profile, criterion, row);
    for (let r = 0; r < rules.length; r++) table[row * rules.length + r] = (byWindow[windows[r] as number] as number) / profile.samples;
  }
  return table;
}

/** The window of a span in bins; `profile.bins` means that nothing is masked. */
function windowBins(profile: InfluenceProfile, span: number): number {
  return span >= profile.length ? profile.bins : Math.min(profile.bins, (span - profile.sink) / BLOCK_TOKENS);
}

/** Loss of windows of 0, 1, ... bins; the last entry (nothing masked) is 0. */
function lossByWindow(profile: InfluenceProfile, criterion: Criterion, row: number): Float64Array {
  const { bins } = profile;
  const out = new Float64Array(bins + 1);
  for (let b = bins - 1; b >= 0; b--) {
    out[b] =
      criterion === 'joint'
        ? (profile.joint[row * bins + b] as number)
        : (out[b + 1] as number) + (profile.elementwise[row * bins + b] as number);
  }
  return out;
}
