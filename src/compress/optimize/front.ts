import { z } from 'zod';
import { writeFileAtomic } from '../../core/files.ts';
import { parseOrThrow, readJsonAs } from '../../core/json-file.ts';

const tokensKey = z.string().regex(/^[1-9]\d{0,9}$/, { error: 'Expected a length in tokens' });
const matrix = z.array(z.array(z.number()).min(1)).min(1);

const pointSchema = z.strictObject({
  /** Tokens and ratio, [layers][kvHeads]. */
  alpha: matrix,
  beta: matrix,
  /** Profile length -> predicted loss increase, nats. */
  objectives: z.record(tokensKey, z.number()),
  /** Constrained length -> mean density. */
  densities: z.record(tokensKey, z.number().min(0).max(1)),
  /** Profile length whose loss was minimized. */
  primary: z.int().min(1),
  /** Proven distance to the optimum of that solve, (value - bound) as a share of the larger of the two. */
  gap: z.number().min(0),
});

/** Plans of which none is better than another at every profile length, and how they were found. */
const paretoFrontSchema = z.strictObject({
  format: z.literal('moabench-front'),
  version: z.literal(1),
  layers: z.int().min(1),
  kvHeads: z.int().min(1),
  heterogeneity: z.enum(['uniform', 'layers', 'heads', 'elastic']),
  rules: z.array(z.strictObject({ alpha: z.number(), beta: z.number() })).min(1),
  rulesPerLayer: z.int().min(1),
  budget: z.number().min(0).max(1),
  /** Constrained length -> bounds of the mean density, in whole blocks. */
  densityBounds: z.record(tokensKey, z.strictObject({ lower: z.number(), upper: z.number() })),
  solver: z.string().min(1),
  /** Subproblems of the epsilon-constraint grid: all, those without any plan, and those whose gap stayed above the target. */
  solves: z.strictObject({ total: z.int().min(1), infeasible: z.int().min(0), aboveGap: z.int().min(0) }),
  seconds: z.number().min(0),
  points: z.array(pointSchema).min(1),
});

export type ParetoFront = z.infer<typeof paretoFrontSchema>;
export type ParetoPoint = ParetoFront['points'][number];

/**
 * The points that no other point dominates. A point dominates another when it is at least as good in every objective, and better in one. Of
 * equal points, the first stays.
 */
export function nonDominated<T>(points: readonly T[], objectives: (point: T) => readonly number[]): T[] {
  const values = points.map(objectives);
  return points.filter((_, i) => {
    const own = values[i] as readonly number[];
    return !values.some((other, j) => {
      if (i === j || !other.every((value, p) => value <= (own[p] as number))) return false;
      return j < i || other.some((value, p) => value < (own[p] as number));
    });
  });
}

/** The front in a file. Errors: NOT_FOUND, IO, or INVALID_FILE naming the file, the field and its value. */
export function loadFront(path: string): ParetoFront {
  return readJsonAs(paretoFrontSchema, path, { what: 'a Pareto front' });
}

/** Writes the whole front or nothing. */
export function saveFront(path: string, front: ParetoFront): void {
  writeFileAtomic(path, `${JSON.stringify(parseOrThrow(paretoFrontSchema, front, { what: 'a Pareto front', path }))}\n`);
}
