import type { BuildContext } from './draft.ts';
import { fillProse, tooShort } from './fill.ts';

export interface ShareOptions {
  readonly count: number;
  /** Estimated tokens for all passages together. */
  readonly room: number;
  /** Whether a passage may stay without prose (0) or not (1). */
  readonly minSentences: 0 | 1;
}

/**
 * Sentences for each of `count` passages, in equal shares of the room. What one passage leaves over goes to those after it, and the last
 * one fills the room to within the tolerance.
 */
export function shareProse(context: BuildContext, { count, room, minSentences }: ShareOptions): string[][] {
  const { estimate, tolerance } = context;
  if (room < 0) throw tooShort(room);
  let left = room;
  return Array.from({ length: count }, (_, index) => {
    const share = Math.floor(left / (count - index));
    const last = index === count - 1;
    const sentences = fillProse({ ...context, budget: share, tolerance: last ? tolerance : share - minSentences });
    left -= sentences.reduce((total, sentence) => total + estimate.countOften(` ${sentence}`), 0);
    return sentences;
  });
}
