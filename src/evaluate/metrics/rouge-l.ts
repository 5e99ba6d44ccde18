import { splitSpaces } from './python-text.ts';

/**
 * Maximum number of nested calls of the official recursive backtrack under Python's default recursion limit. With one more, the reference
 * scores 0.
 */
const MAX_FRAMES = 991;
/** Keeps F finite when nothing overlaps; part of the package's definition. */
const F_EPSILON = 1e-8;

/**
 * Summary-level ROUGE-L F of a prediction and one reference, 0..1, as the `rouge` package 1.0.1 gives it to LongBench: sentences end at every ".",
 * lengths count distinct words, the overlap is one union of words over all sentence pairs (Lin 2004, 3.2, with sets for sequences).
 */
export function rougeL(prediction: string, reference: string): number {
  const hypothesis = sentences(prediction);
  const expected = sentences(reference);
  if (hypothesis.length === 0 || expected.length === 0) return 0;
  const union = new Set<string>();
  for (const sentence of expected) {
    for (const candidate of hypothesis) {
      const common = longestCommonWords(sentence, candidate);
      if (common === undefined) return 0;
      for (const word of common) union.add(word);
    }
  }
  const recall = union.size / distinctWords(expected);
  const precision = union.size / distinctWords(hypothesis);
  return 2 * ((precision * recall) / (precision + recall + F_EPSILON));
}

/** Pieces between dots; empty ones are dropped before trimming, so that a piece of spaces stays as a sentence of one empty word. */
function sentences(text: string): string[][] {
  const pieces = text.split('.').filter((piece) => piece.length > 0);
  return pieces.map((piece) => splitSpaces(piece).join(' ').split(' '));
}

function distinctWords(list: readonly (readonly string[])[]): number {
  return new Set(list.flat()).size;
}

/** Words of the longest common subsequence that the official backtrack takes; undefined where it exceeds Python's recursion limit. */
function longestCommonWords(x: readonly string[], y: readonly string[]): string[] | undefined {
  const table = lcsTable(x, y);
  const width = y.length + 1;
  const common: string[] = [];
  let i = x.length;
  let j = y.length;
  let frames = 1;
  while (i > 0 && j > 0) {
    if (x[i - 1] === y[j - 1]) {
      common.push(x[i - 1] as string);
      i--;
      j--;
    } else if ((table[(i - 1) * width + j] as number) > (table[i * width + j - 1] as number)) i--;
    else j--;
    frames++;
  }
  return frames > MAX_FRAMES ? undefined : common;
}

/** LCS lengths of all prefixes: [x.length + 1, y.length + 1], row-major. */
function lcsTable(x: readonly string[], y: readonly string[]): Uint32Array {
  const width = y.length + 1;
  const table = new Uint32Array((x.length + 1) * width);
  for (let i = 1; i <= x.length; i++) {
    for (let j = 1; j <= y.length; j++) {
      const above = table[(i - 1) * width + j] as number;
      const before = table[i * width + j - 1] as number;
      const diagonal = table[(i - 1) * width + j - 1] as number;
      table[i * width + j] = x[i - 1] === y[j - 1] ? diagonal + 1 : Math.max(above, before);
    }
  }
  return table;
}
