import { sequenceRatio } from './difflib.ts';
import { roundHalfEven } from './python-text.ts';

/**
 * LongBench `code_sim_score`, 0..1 in steps of 0.01: the first line of the prediction (after leading newlines) without a backtick, "#" or "//",
 * untrimmed, against the reference by fuzzywuzzy's ratio (the difflib variant that LongBench's requirements give).
 */
export function codeSimilarity(prediction: string, reference: string): number {
  const lines = prediction.replace(/^\n+/, '').split('\n');
  const line = lines.find((text) => !(text.includes('`') || text.includes('#') || text.includes('//'))) ?? '';
  return fuzzRatio(line, reference) / 100;
}

/** `fuzz.ratio`: 100 for equal texts (two empty ones included), 0 if one is empty. */
function fuzzRatio(first: string, second: string): number {
  if (first === second) return 100;
  if (first === '' || second === '') return 0;
  return roundHalfEven(100 * sequenceRatio(first, second));
}
