import { checkReportable } from '../report/bounds.ts';
import { compareRuns } from '../summary/compare/compare.ts';
import { type Comparison, comparisonSchema } from '../summary/compare/comparison.ts';
import type { Rules } from '../summary/compare/rules.ts';
import type { SideInput } from '../summary/compare/sides.ts';
import { readRun } from './read-run.ts';

export interface CompareFolders {
  readonly base: string;
  readonly head: string;
  readonly rules: Rules;
  readonly renamed: ReadonlyMap<string, string>;
}

/** Compares two run folders, which are only read. @throws NOT_FOUND, INVALID_FILE or IO naming the file; INVALID_ARGUMENT for renamed methods that are not there. */
export function compareFolders({ base, head, rules, renamed }: CompareFolders): Comparison {
  return comparisonSchema.parse(compareRuns({ base: sideInput(base), head: sideInput(head), rules, renamed }));
}

function sideInput(folder: string): SideInput {
  const { records, run, suite } = readRun(folder);
  checkReportable(suite, records);
  return { folder, records, run, suite };
}
