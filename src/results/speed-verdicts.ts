import { countText, numbered, ratioText } from './phrases.ts';
import { hardest } from './speed.ts';
import type { MethodSummary, Speed } from './summary.ts';

/** What one method's timings say beside the baseline's, under the hardest condition of each measure. */
export function speedSentences(method: MethodSummary, baselineLabel: string): string[] {
  const sentence = (what: string, timing: Speed | undefined): string[] => {
    if (!timing?.speedup) return [];
    const { speedup } = timing;
    const condition = `${countText(timing.contextTokens)} tokens of context${timing.batch > 1 ? `, batch ${timing.batch}` : ''}`;
    const verdict = speedup.low > 1 ? 'faster' : speedup.high < 1 ? 'slower' : 'as fast within noise';
    return [
      `${what} at ${condition}, ${method.label} is ${verdict}: ${ratioText(speedup)} the tokens per second of ${baselineLabel} (n = ${numbered(speedup.n, 'round')}).`,
    ];
  };
  const own = (timings: readonly Speed[]): Speed[] => timings.filter((timing) => timing.cache !== 'dynamic');
  return [...sentence('Decoding', hardest(own(method.decode))), ...sentence('In prefill', hardest(own(method.prefill)))];
}
