import type { Comparison, Flip } from './comparison.ts';
import type { PairedCell } from './paired-samples.ts';

/** At most so many lost samples and so many gained samples are listed. The rows of the comparison count all of them. */
const MOST = 100;

/** The samples whose score is lower in HEAD (`lost`) or higher (`gained`), the largest changes first. */
export function listFlips(cells: readonly PairedCell[]): Comparison['flips'] {
  const flips = cells.flatMap(flipsOf);
  const lost = flips.filter((flip) => changeOf(flip) < 0).sort((a, b) => changeOf(a) - changeOf(b));
  const gained = flips.filter((flip) => changeOf(flip) > 0).sort((a, b) => changeOf(b) - changeOf(a));
  const shown = { lost: lost.slice(0, MOST), gained: gained.slice(0, MOST) };
  return { ...shown, left: flips.length - shown.lost.length - shown.gained.length };
}

function flipsOf({ method, part, pairs }: PairedCell): Flip[] {
  if (part === 'perplexity') return [];
  return pairs.flatMap(({ base, head }) => {
    if (base.kind !== 'sample' || head.kind !== 'sample' || base.score === head.score) return [];
    const { task, length, sampleId, content, expected } = head;
    const answer = ({ score, output }: typeof head): Flip['base'] => ({ score, output });
    return [{ method: method.head, part, task, length, sampleId, content, expected, base: answer(base), head: answer(head) }];
  });
}

function changeOf({ base, head }: Flip): number {
  return head.score - base.score;
}
