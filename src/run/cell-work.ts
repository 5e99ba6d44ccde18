import type { ModelConfig } from '../model/format/config.ts';
import { type Cell, isQuality } from '../suite/cells.ts';
import type { Suite } from '../suite/schema.ts';
import { sampleSource } from './sample-source.ts';

/** What a cell makes the model compute. */
export interface Work {
  /** Tokens that pass the weights many at a time: prompts, and the backward pass of profiling, which counts three times. */
  readonly promptTokens: number;
  /** Pairs of query and key of dense causal attention over those tokens, per head and layer. */
  readonly pairs: number;
  /** Tokens that pass the weights one at a time: at most so many, as answers may end early. */
  readonly steps: number;
  /** Seconds that the steps take at least, however fast they are: a timing lasts as long as the suite says. */
  readonly leastSeconds: number;
}

const NOTHING: Work = { promptTokens: 0, pairs: 0, steps: 0, leastSeconds: 0 };
/** A backward pass computes each product twice more, and the forward pass of layers is done again from checkpoints (model/recompute-policy). */
const PROFILE_PASSES = 4;
/** As compress/optimize has it where the suite leaves the intervals of its grid out. */
const DEFAULT_INTERVALS = 4;

/** The work of a cell of which `samplesDone` samples are scored. `first`: whether no other method of the suite profiles the model for it. */
export function workOf(cell: Cell, suite: Suite, { samplesDone, first }: { readonly samplesDone: number; readonly first: boolean }): Work {
  if (isQuality(cell)) {
    const steps = cell.kind === 'perplexity' ? 0 : sampleSource(cell, suite, '.').newTokens;
    return times(cell.samples - samplesDone, { ...prompt(cell.length), steps });
  }
  switch (cell.kind) {
    case 'plan':
      return cell.options.method === 'moa' ? compressWork(suite, first) : NOTHING;
    case 'prefill':
      return times(processes(suite) * (cell.rounds + 1), prompt(cell.length));
    case 'decode': {
      const timed = { ...NOTHING, steps: cell.newTokens, leastSeconds: cell.segmentMs / 1000 };
      return times(processes(suite), plus(times(cell.batch, prompt(cell.length)), times(cell.rounds + 1, timed)));
    }
    case 'maxBatch':
      return times(Math.ceil(Math.log2(cell.largest)) + 1, prompt(cell.length));
    default:
      return NOTHING;
  }
}

/** Floating-point operations of prompts and of one-token steps, a multiply-add counted as two. */
export function operationsOf({ promptTokens, pairs, steps }: Work, { layers, heads, headDim }: ModelConfig, weights: number) {
  return { prompts: 2 * weights * promptTokens + 4 * layers * heads * headDim * pairs, steps: 2 * weights * steps };
}

function compressWork({ compress }: Suite, first: boolean): Work {
  if (compress === undefined) return NOTHING;
  const { calibration, profileLengths, validate, intervals } = compress;
  const calibrate = profileLengths.map((length) =>
    times(calibration.samplesPerLength, { ...times(1 + PROFILE_PASSES, prompt(length)), steps: calibration.answerTokens }),
  );
  // One answer of the dense model a sample, then its loss under every plan of the front: about one a interval of the grid.
  const validated = times(validate.samples, {
    ...times((intervals ?? DEFAULT_INTERVALS) + 2, prompt(validate.length)),
    steps: calibration.answerTokens,
  });
  return first ? [...calibrate, validated].reduce(plus, NOTHING) : validated;
}

function prompt(tokens: number): Work {
  return { ...NOTHING, promptTokens: tokens, pairs: tokens ** 2 / 2 };
}

function processes({ efficiency }: Suite): number {
  return efficiency?.processes ?? 1;
}

function times(n: number, { promptTokens, pairs, steps, leastSeconds }: Work): Work {
  return { promptTokens: n * promptTokens, pairs: n * pairs, steps: n * steps, leastSeconds: n * leastSeconds };
}

function plus(a: Work, b: Work): Work {
  return {
    promptTokens: a.promptTokens + b.promptTokens,
    pairs: a.pairs + b.pairs,
    steps: a.steps + b.steps,
    leastSeconds: a.leastSeconds + b.leastSeconds,
  };
}
