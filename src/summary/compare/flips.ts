import type { Comparison, Flip } from './comparison.ts';
import { pairedCells } from './paired-samples.ts';
import type { MethodPair, Side } from './sides.ts';

/** Samples that are listed each way; all are counted in the rows. */
const MOST = 100;

/** Samples whose score changed, the largest changes first. */
export function listFlips(methods: readonly MethodPair[], sides: { readonly base: Side; readonly head: Side }): Comparison['flips'] {
  const flips = methods.flatMap((method) => (['retrieval', 'longbench'] as const).flatMap((part) => flipsOf(part, method, sides)));
  const lost = flips.filter((flip) => changeOf(flip) < 0).sort((a, b) => changeOf(a) - changeOf(b));
  const gained = flips.filter((flip) => changeOf(flip) > 0).sort((a, b) => changeOf(b) - changeOf(a));
  const shown = { lost: lost.slice(0, MOST), gained: gained.slice(0, MOST) };
  return { ...shown, left: flips.length - shown.lost.length - shown.gained.length };
}

function flipsOf(part: Flip['part'], method: MethodPair, sides: { readonly base: Side; readonly head: Side }): Flip[] {
  return pairedCells(part, method, sides).flatMap(({ pairs }) =>
    pairs.flatMap(({ base, head }) => {
      if (base.kind !== 'sample' || head.kind !== 'sample' || base.score === head.score) return [];
      const { task, length, sampleId, content, expected } = head;
      const answer = ({ score, output }: typeof head): Flip['base'] => ({ score, output });
      return [{ method: method.head, part, task, length, sampleId, content, expected, base: answer(base), head: answer(head) }];
    }),
  );
}

function changeOf({ base, head }: Flip): number {
  return head.score - base.score;
}
