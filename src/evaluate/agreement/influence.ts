import type { InfluenceSums } from '../../model/profile/influence.ts';

/** The kinds of influence, each a sum per [layer][kvHead][bin]. */
const CRITERIA = ['elementwise', 'elementwiseSink', 'joint'] as const;
type ByCriterion = { readonly [criterion in (typeof CRITERIA)[number]]: number };

/** The profile of one sample on two backends: `wanted` by the reference, `received` by the other one. */
export interface ProfilePair {
  readonly task: string;
  /** Nominal tokens of the prompt and its answer together. */
  readonly length: number;
  readonly wanted: InfluenceSums;
  readonly received: InfluenceSums;
}

export interface InfluenceAgreement {
  /** Relative L1 distance of each sample. When the loss is almost 0, the gradient is hardly more than rounding, and the sample's distance says nothing. */
  readonly samples: readonly ({ readonly task: string; readonly length: number; readonly loss: readonly [number, number] } & ByCriterion)[];
  /** Relative L1 distance of the sums over the samples of a length. Plans are made from such sums; a sample without gradient adds nothing to them. */
  readonly lengths: readonly ({ readonly length: number; readonly samples: number; readonly loss: number } & ByCriterion)[];
}

/** How far apart the profiles are. `rows`: layers * kvHeads. The `loss` of a length is the relative difference of its mean losses. */
export function compareProfiles(pairs: readonly ProfilePair[], rows: number): InfluenceAgreement {
  const lengths = [...new Set(pairs.map(({ length }) => length))];
  return {
    samples: pairs.map(({ task, length, wanted, received }) => ({
      task,
      length,
      loss: [wanted.loss, received.loss],
      ...byCriterion((criterion) => relativeL1(received[criterion], wanted[criterion])),
    })),
    lengths: lengths.map((length) => {
      const own = pairs.filter((pair) => pair.length === length);
      const [wanted, received] = [own.map((pair) => pair.wanted), own.map((pair) => pair.received)];
      const losses = (profiles: readonly InfluenceSums[]): number => profiles.reduce((sum, { loss }) => sum + loss, 0);
      return {
        length,
        samples: own.length,
        loss: Math.abs(losses(received) / losses(wanted) - 1),
        ...byCriterion((criterion) => relativeL1(sumOf(received, criterion, rows), sumOf(wanted, criterion, rows))),
      };
    }),
  };
}

function byCriterion(value: (criterion: (typeof CRITERIA)[number]) => number): ByCriterion {
  return { elementwise: value('elementwise'), elementwiseSink: value('elementwiseSink'), joint: value('joint') };
}

function relativeL1(received: Float64Array, wanted: Float64Array): number {
  let [difference, total] = [0, 0];
  for (const [i, x] of wanted.entries()) {
    difference += Math.abs((received[i] ?? 0) - x);
    total += Math.abs(x);
  }
  return difference / total;
}

/** Sums [rows, bins] of profiles whose sequences differ a little in length. */
function sumOf(profiles: readonly InfluenceSums[], criterion: (typeof CRITERIA)[number], rows: number): Float64Array {
  const bins = Math.max(...profiles.map((profile) => profile.bins));
  const sum = new Float64Array(rows * bins);
  for (const profile of profiles) {
    for (const [i, x] of profile[criterion].entries()) {
      const at = Math.floor(i / profile.bins) * bins + (i % profile.bins);
      sum[at] = (sum[at] ?? 0) + x;
    }
  }
  return sum;
}
