import type { Rng } from '../../core/rng.ts';
import type { Prose } from '../prose.ts';
import type { Split } from '../sample.ts';
import type { TokenEstimate } from './estimate.ts';
import type { Room } from './fill.ts';

/** What a task's builder gets; `budget` and `tolerance` are for the user's text. */
export interface BuildContext extends Room {
  readonly rng: Rng;
  readonly prose: Prose;
  readonly estimate: TokenEstimate;
  readonly split: Split;
  /** Where the evidence should sit, 0..9, for tasks that can choose. */
  readonly depthDecile: number;
}

/** A built user turn. */
export interface Draft {
  readonly user: string;
  readonly answers: readonly string[];
  /** The whole answer as the task words it; left out where it is a space and the first answer. */
  readonly completion?: string;
  readonly allClasses?: readonly string[];
  /** [start, end) of the evidence in `user`. */
  readonly evidence?: readonly [number, number];
  /** Share of the context before the evidence, 0..1. */
  readonly depth?: number;
}

export type Builder = (context: BuildContext) => Draft;

export interface Parts {
  readonly head: string;
  readonly pieces: readonly string[];
  readonly separator: string;
  readonly tail: string;
  /** Index into `pieces` of the one that holds the answer. */
  readonly evidence?: number | undefined;
}

/** head + pieces joined + tail, with the place of the evidence piece. */
export function assemble({ head, pieces, separator, tail, evidence }: Parts): Pick<Draft, 'user' | 'evidence' | 'depth'> {
  const body = pieces.join(separator);
  const user = head + body + tail;
  if (evidence === undefined) return { user };
  const before = pieces.slice(0, evidence).reduce((total, piece) => total + piece.length + separator.length, 0);
  const start = head.length + before;
  return { user, evidence: [start, start + (pieces[evidence] as string).length], depth: before / body.length };
}

export interface PlaceOptions {
  readonly sentences: readonly string[];
  /** In the order in which they appear. */
  readonly facts: readonly string[];
  /** The fact that is asked about, and the tenth of the text it should sit in. */
  readonly queried?: { readonly index: number; readonly decile: number };
  readonly rng: Rng;
}

/**
 * The sentences with the facts at random gaps between them, both in their order. A queried fact goes to a gap in its tenth of the text
 * instead, if there is one. `positions` has the index of each fact in `pieces`.
 */
export function placeFacts({ sentences, facts, queried, rng }: PlaceOptions): { pieces: string[]; positions: number[] } {
  const gaps = facts.map(() => rng.int(0, sentences.length)).sort((a, b) => a - b);
  const order = facts.map((_, index) => index);
  if (queried !== undefined) {
    const others = facts.map((fact, index) => ({
      gap: gaps[index] as number,
      characters: index === queried.index ? 0 : fact.length + 1,
      index,
    }));
    const before = charactersBefore(sentences, (gap) =>
      others.reduce(
        (sum, other) => sum + (other.gap < gap || (other.gap === gap && other.index < queried.index) ? other.characters : 0),
        0,
      ),
    );
    const characters = [...sentences, ...facts].reduce((sum, text) => sum + text.length + 1, 0);
    gaps[queried.index] = gapInDecile(
      before.map((share) => share / Math.max(characters - 1, 1)),
      queried.decile,
      rng,
    );
    order.sort((a, b) => (gaps[a] as number) - (gaps[b] as number) || a - b);
  }
  const pieces: string[] = [];
  const positions = new Array<number>(facts.length).fill(0);
  let next = 0;
  for (let gap = 0; gap <= sentences.length; gap++) {
    for (; next < order.length && gaps[order[next] as number] === gap; next++) {
      positions[order[next] as number] = pieces.push(facts[order[next] as number] as string) - 1;
    }
    if (gap < sentences.length) pieces.push(sentences[gap] as string);
  }
  return { pieces, positions };
}

/** Characters before each gap between sentences: those of the sentences before it, and as many more as `more` says. */
function charactersBefore(sentences: readonly string[], more: (gap: number) => number): number[] {
  let before = 0;
  return Array.from({ length: sentences.length + 1 }, (_, gap) => {
    if (gap > 0) before += (sentences[gap - 1] as string).length + 1;
    return before + more(gap);
  });
}

/** A random gap whose share of text before it lies in [decile, decile + 1) tenths; the nearest to its middle if there is none. */
function gapInDecile(shares: readonly number[], decile: number, rng: Rng): number {
  const inside = shares.flatMap((share, gap) => (share * 10 >= decile && share * 10 < decile + 1 ? [gap] : []));
  if (inside.length > 0) return rng.pick(inside);
  const middle = (decile + 0.5) / 10;
  return shares.reduce((best, share, gap) => (Math.abs(share - middle) < Math.abs((shares[best] as number) - middle) ? gap : best), 0);
}
