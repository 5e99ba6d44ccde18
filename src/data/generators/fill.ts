import { MoaError } from '../../core/errors.ts';
import type { Rng } from '../../core/rng.ts';
import type { Prose } from '../prose.ts';
import type { TokenEstimate } from './estimate.ts';

/** How much to fill, in estimated tokens: the total ends in [budget - tolerance, budget]. */
export interface Room {
  readonly budget: number;
  readonly tolerance: number;
}

export interface FillOptions<T> extends Room {
  /** The next unit in the natural order. */
  readonly next: () => T;
  /** Any unit, for the tokens that are left at the end. */
  readonly any: () => T;
  readonly cost: (unit: T) => number;
}

/**
 * Draws in one attempt to bring the tokens that are left within the tolerance, and how often the last unit is taken back for another
 * attempt.
 */
const CLOSING_DRAWS = 200;
const TAKE_BACKS = 12;

/** Units whose costs sum to [budget - tolerance, budget]. Throws INVALID_ARGUMENT where no unit fits: the target length is too short for the task. */
export function fill<T>(options: FillOptions<T>): T[] {
  const { budget, tolerance, next, cost } = options;
  if (budget < 0) throw tooShort(budget);
  const filled: Filled<T> = { units: [], costs: [], left: budget };
  for (;;) {
    const unit = next();
    const size = cost(unit);
    if (size > filled.left) break;
    push(filled, unit, size);
  }
  for (let takeBack = 0; filled.left > tolerance; takeBack++) {
    if (close(filled, options) || exchange(filled, options)) break;
    const size = filled.costs.pop();
    if (takeBack === TAKE_BACKS || size === undefined) throw tooShort(budget);
    filled.units.pop();
    filled.left += size;
  }
  return filled.units;
}

interface Filled<T> {
  readonly units: T[];
  readonly costs: number[];
  left: number;
}

function push<T>(filled: Filled<T>, unit: T, size: number): void {
  filled.units.push(unit);
  filled.costs.push(size);
  filled.left -= size;
}

/** Adds one unit that brings the tokens that are left within the tolerance, if the draws find one. */
function close<T>(filled: Filled<T>, { any, cost, tolerance }: FillOptions<T>): boolean {
  for (let draw = 0; draw < CLOSING_DRAWS; draw++) {
    const unit = any();
    const size = cost(unit);
    if (size > filled.left || size < filled.left - tolerance) continue;
    push(filled, unit, size);
    return true;
  }
  return false;
}

/**
 * Exchanges late units for longer ones until the tokens that are left are within the tolerance. This works where all units have nearly the
 * same size, so that none is short enough to be added.
 */
function exchange<T>(filled: Filled<T>, { any, cost, tolerance }: FillOptions<T>): boolean {
  for (let draw = 0; draw < CLOSING_DRAWS && filled.left > tolerance && filled.units.length > 0; draw++) {
    const index = filled.units.length - 1 - (draw % Math.min(filled.units.length, 10));
    const unit = any();
    const size = cost(unit);
    const gain = size - (filled.costs[index] as number);
    if (gain <= 0 || gain > filled.left) continue;
    filled.units[index] = unit;
    filled.costs[index] = size;
    filled.left -= gain;
  }
  return filled.left <= tolerance;
}

/** The error for a target length that is too short for a task's fixed text and one unit of filler. */
export function tooShort(budget: number): MoaError {
  return new MoaError(`Expected more room for targetTokens but received ${budget} tokens to fill`, {
    code: 'INVALID_ARGUMENT',
    hint: 'Ask for a longer target; 512 tokens are enough for every task with the reference tokenizer.',
  });
}

export interface ProseOptions extends Room {
  readonly prose: Prose;
  readonly rng: Rng;
  readonly estimate: TokenEstimate;
}

/** Consecutive sentences from a random place, and at the end a sentence that fits. The cost of each includes the space before it. */
export function fillProse({ prose, rng, estimate, budget, tolerance }: ProseOptions): string[] {
  let index = rng.int(0, prose.sentences.length - 1);
  return fill({
    budget,
    tolerance,
    next: () => prose.sentences[index++ % prose.sentences.length] as string,
    any: () => rng.pick(prose.sentences),
    cost: (sentence) => estimate.countOften(` ${sentence}`),
  });
}
