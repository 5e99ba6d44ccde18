import type { Check } from '../summary.ts';
import { type CheckInput, check } from './check.ts';

/** Load per usable core above which timings of other programs mix in. */
const BUSY_LOAD = 0.5;

/** Nothing else ran while timing. */
export function quietMachine({ environment, selection }: CheckInput): Check {
  if (environment === null || selection.measurements.length === 0)
    return check('quiet-machine', 'warning', 'untested', 'No timing, or no record of the machine.');
  const load = environment.cpu.loadAverage[0] ?? 0;
  const cores = environment.container.cpuQuota ?? environment.cpu.usableCores;
  const busy = load / cores > BUSY_LOAD;
  return check(
    'quiet-machine',
    'warning',
    busy ? 'failed' : 'passed',
    `Load average ${load.toFixed(2)} on ${cores} ${cores === 1 ? 'core' : 'cores'} when the run started${busy ? ': other programs were running, so absolute timings are unsafe' : ''}.`,
  );
}

/** Sentences that a report prints; the records have all. */
const SHOWN = 2;

/** Every op ran on the kernel meant for it. */
export function kernelsAsMeant({ selection }: CheckInput): Check {
  const { substitutions } = selection;
  if (substitutions === null)
    return check(
      'kernels-as-meant',
      'warning',
      'untested',
      'Which kernels ran is not on record: a run was stopped, or made by an older version.',
    );
  const more = substitutions.length > SHOWN ? `; and ${substitutions.length - SHOWN} more, in records.jsonl` : '';
  const message =
    substitutions.length === 0
      ? 'No op ran on a substitute of its kernel.'
      : `Slower kernels stood in for the ones meant, so speeds are theirs: ${substitutions.slice(0, SHOWN).join('; ')}${more}.`;
  return check('kernels-as-meant', 'warning', substitutions.length === 0 ? 'passed' : 'failed', message);
}

/** The commit names the code. */
export function cleanCode({ environment }: CheckInput): Check {
  const git = environment?.git ?? null;
  if (git === null) return check('clean-code', 'note', 'untested', 'Not run from a git checkout.');
  return check(
    'clean-code',
    'note',
    git.dirty ? 'failed' : 'passed',
    `Commit ${git.commit.slice(0, 12)}${git.dirty ? ' with uncommitted changes' : ', without uncommitted changes'}.`,
  );
}
