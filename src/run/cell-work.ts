import type { ModelConfig } from '../model/format/config.ts';
import { type Cell, isQuality } from '../suite/cells.ts';
import type { Suite } from '../suite/schema.ts';
import { sampleSource } from './sample-source.ts';

/** What a cell makes the model compute. */
export interface Work {
  /** Tokens that pass through the weights many at a time: prompts, and profiling samples, each counted PROFILE_PASSES times. */
  readonly promptTokens: number;
  /** (query, key) pairs of dense causal attention over these tokens, per head and layer. */
  readonly pairs: number;
  /** Tokens that pass through the weights one at a time. This is an upper bound, because answers may end early. */
  readonly steps: number;
  /** The least time of the steps in seconds, however fast each is: the suite sets how long a timing lasts. */
  readonly leastSeconds: number;
}

const NOTHING: Work = { promptTokens: 0, pairs: 0, steps: 0, leastSeconds: 0 };
/**
 * Forward passes that one profiling sample costs: the forward pass itself, two for the backward pass (two products for each forward product), and one
 * because the forward pass of each layer is computed again from checkpoints (model/profile/recompute-policy).
 */
const PROFILE_PASSES = 4;
/** The default of compress/optimize, when the suite does not set the intervals of its grid. */
const DEFAULT_INTERVALS = 4;

/** The work that is left of a cell with `samplesDone` scored samples. `first`: whether this cell must profile the model itself. */
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

/** Floating-point operations of prompts and of one-token steps; a multiply-add counts as two. `weights`: the number of weights. */
export function operationsOf({ promptTokens, pairs, steps }: Work, { layers, heads, headDim }: ModelConfig, weights: number) {
  return { prompts: 2 * weights * promptTokens + 4 * layers * heads * headDim * pairs, steps: 2 * weights * steps };
}

function compressWork({ compress }: Suite, first: boolean): Work {
  if (compress === undefined) return NOTHING;
  const { calibration, profileLengths, validate, intervals } = compress;
  const calibrate = profileLengths.map((length) =>
    times(calibration.samplesPerLength, { ...times(1 + PROFILE_PASSES, prompt(length)), steps: calibration.answerTokens }),
  );
  // For each sample: one answer of the dense model, then the loss under every plan of the front. The front has about one plan per interval of the grid.
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
