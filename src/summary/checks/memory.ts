import { budgetOf, EQUAL_BUDGET, largestBudgetGap, MEANT_EQUAL, rungOf } from '../contrasts.ts';
import { numbered, percent } from '../phrases.ts';
import type { Check } from '../summary.ts';
import { type CheckInput, check } from './check.ts';

/** Checks that the allocator gave as many bytes as the plan implies. Every claim about memory depends on this. */
export function residentBytes({ selection }: CheckInput): Check {
  const records = [...selection.samples, ...selection.losses];
  const differ = records.filter((record) => record.kvBytes.planned !== record.kvBytes.resident);
  if (records.length === 0)
    return check('resident-bytes', 'blocking', 'untested', 'No sample was scored, so resident KV bytes are unknown.');
  const message =
    differ.length === 0
      ? `Resident KV bytes equal the plan's in all ${numbered(records.length, 'scored sample')}.`
      : `Resident KV bytes differ from the plan's in ${differ.length} of ${numbered(records.length, 'sample')} (first: ${differ[0]?.method}, ${differ[0]?.sampleId}).`;
  return check('resident-bytes', 'blocking', differ.length === 0 ? 'passed' : 'failed', message);
}

/** Checks that methods which were meant to have the same budget do have it. */
export function equalBudgets({ summary }: CheckInput): Check {
  const compressed = summary.methods.filter((method) => method.id !== summary.baseline && method.kvBytes.length > 0);
  const pairs = compressed.flatMap((a, i) => compressed.slice(i + 1).map((b) => ({ a, b, gap: largestBudgetGap(a, b) })));
  const meant = pairs.filter(({ gap }) => gap <= MEANT_EQUAL);
  // The method with the freer spans may have fewer bytes. It is then compared as a method with no more memory.
  const unequal = meant.filter(({ a, b }) => (rungOf(a) > rungOf(b) ? budgetOf(a, b) : budgetOf(b, a)) === null);
  if (meant.length === 0) return check('equal-budgets', 'warning', 'untested', 'No two compressed methods have nearly the same KV memory.');
  const worst = unequal.toSorted((x, y) => y.gap - x.gap)[0];
  if (worst === undefined)
    return check(
      'equal-budgets',
      'warning',
      'passed',
      `${numbered(meant.length, 'pair of methods compares', 'pairs of methods compare')} at KV bytes equal to within ${percent(EQUAL_BUDGET)}.`,
    );
  const names = unequal.map(({ a, b }) => `${a.id} and ${b.id}`).join('; ');
  return check(
    'equal-budgets',
    'warning',
    'failed',
    `Nearly but not equal KV bytes: ${names} (up to ${percent(worst.gap, 1)} apart at one length). They are not compared as equals.`,
  );
}
