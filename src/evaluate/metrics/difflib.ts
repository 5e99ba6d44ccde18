/** From this many elements on, popular elements of the second sequence are no anchors (difflib's autojunk). */
const AUTOJUNK_LENGTH = 200;

/** `difflib.SequenceMatcher(None, first, second).ratio()` over code points: 2 M / (total length), 0..1; 1 for two empty texts. */
export function sequenceRatio(first: string, second: string): number {
  const a = Array.from(first);
  const b = Array.from(second);
  const total = a.length + b.length;
  return total === 0 ? 1 : (2 * matchedLength(a, b)) / total;
}

interface Range {
  readonly aLow: number;
  readonly aHigh: number;
  readonly bLow: number;
  readonly bHigh: number;
}

/** Total size of the matching blocks: the longest match first, then left and right of it (Ratcliff & Obershelp). */
function matchedLength(a: readonly string[], b: readonly string[]): number {
  const positions = anchorPositions(b);
  const open: Range[] = [{ aLow: 0, aHigh: a.length, bLow: 0, bHigh: b.length }];
  let matched = 0;
  for (let range = open.pop(); range !== undefined; range = open.pop()) {
    const { aStart, bStart, size } = longestMatch(a, b, { positions, range });
    if (size === 0) continue;
    matched += size;
    open.push({ ...range, aHigh: aStart, bHigh: bStart });
    open.push({ ...range, aLow: aStart + size, bLow: bStart + size });
  }
  return matched;
}

/** Where each element of `b` occurs. In long texts, elements at more than 1% + 1 of the places are left out. */
function anchorPositions(b: readonly string[]): Map<string, number[]> {
  const positions = new Map<string, number[]>();
  b.forEach((element, index) => {
    const list = positions.get(element);
    if (list === undefined) positions.set(element, [index]);
    else list.push(index);
  });
  if (b.length >= AUTOJUNK_LENGTH) {
    const popular = Math.floor(b.length / 100) + 1;
    for (const [element, list] of positions) if (list.length > popular) positions.delete(element);
  }
  return positions;
}

interface Match {
  readonly aStart: number;
  readonly bStart: number;
  readonly size: number;
}

/** The longest run of anchors within the range (earliest in `a`, then in `b`), extended over equal neighbours, popular ones included. */
function longestMatch(
  a: readonly string[],
  b: readonly string[],
  { positions, range }: { positions: ReadonlyMap<string, number[]>; range: Range },
): Match {
  const { aLow, aHigh, bLow, bHigh } = range;
  let aStart = aLow;
  let bStart = bLow;
  let size = 0;
  let lengths = new Map<number, number>();
  for (let i = aLow; i < aHigh; i++) {
    const next = new Map<number, number>();
    for (const j of positions.get(a[i] as string) ?? []) {
      if (j < bLow) continue;
      if (j >= bHigh) break;
      const length = (lengths.get(j - 1) ?? 0) + 1;
      next.set(j, length);
      if (length > size) [aStart, bStart, size] = [i - length + 1, j - length + 1, length];
    }
    lengths = next;
  }
  while (aStart > aLow && bStart > bLow && a[aStart - 1] === b[bStart - 1]) [aStart, bStart, size] = [aStart - 1, bStart - 1, size + 1];
  while (aStart + size < aHigh && bStart + size < bHigh && a[aStart + size] === b[bStart + size]) size++;
  return { aStart, bStart, size };
}
