import type { RecordOf } from '../../records/record.ts';
import { numbered } from '../phrases.ts';
import type { StretchUse } from '../selection.ts';
import type { Check } from '../summary.ts';
import { type CheckInput, check } from './check.ts';

/** Load of other programs per usable core. Above it they disturb the timings. */
const BUSY_LOAD = 0.5;

/**
 * Checks that no other program ran while timings were taken. For each stretch with timings it looks at the load when the stretch began, and at the load when it
 * ended, less the stretch's own threads.
 */
export function quietMachine({ selection }: Pick<CheckInput, 'selection'>): Check {
  const timed = selection.stretches.filter(({ timings }) => timings > 0);
  const known = new Set(timed.map(({ id }) => id));
  if (timed.length === 0 || selection.measurements.some(({ stretch }) => !known.has(stretch)))
    return check('quiet-machine', 'warning', 'untested', 'No timing, or no record of the machine that timed.');
  const loads = timed.flatMap((use) => loadsOf(use, selection.run?.backend ?? null));
  const worst = loads.toSorted((a, b) => b.load / b.cores - a.load / a.cores)[0] as ForeignLoad;
  const busy = worst.load / worst.cores > BUSY_LOAD;
  const where = timed.length === 1 ? '' : `; at worst of ${timed.length} stretches of timing`;
  const message = `Load of other programs ${worst.load.toFixed(2)} on ${numbered(worst.cores, 'core')} ${worst.when}${where}`;
  return check(
    'quiet-machine',
    'warning',
    busy ? 'failed' : 'passed',
    `${message}${busy ? ': other programs were running, so absolute timings are unsafe' : ''}.`,
  );
}

interface ForeignLoad {
  readonly load: number;
  readonly cores: number;
  readonly when: 'when it started' | 'when it ended';
}

/**
 * The load of other programs when a stretch began and when it ended, from the load average over one minute. The load at the end includes the stretch's own
 * threads, which are subtracted: all its compute threads on `cpu`, and on a device the one thread that feeds the device.
 */
function loadsOf({ environment, end }: StretchUse, backend: RecordOf<'run'>['backend'] | null): ForeignLoad[] {
  const cores = environment.container.cpuQuota ?? environment.cpu.usableCores;
  const own = environment.backend.name === 'cpu' ? (backend?.threads ?? environment.cpu.usableCores) : 1;
  const started = { load: environment.cpu.loadAverage[0] ?? 0, cores, when: 'when it started' } as const;
  if (end === null) return [started];
  return [started, { load: Math.max(0, (end.loadAverage[0] ?? 0) - own), cores, when: 'when it ended' }];
}

/** Most sentences that a report prints. The records hold all of them. */
const SHOWN = 2;

/** Checks that every op ran on the kernel meant for it. */
export function kernelsAsMeant({ selection }: CheckInput): Check {
  const { stretches, unknownStretch } = selection;
  const sentences = [...new Set(stretches.flatMap(({ end }) => end?.substitutions ?? []))];
  const isTold = stretches.length > 0 && !unknownStretch && stretches.every(({ end }) => end !== null);
  if (sentences.length === 0 && !isTold)
    return check(
      'kernels-as-meant',
      'warning',
      'untested',
      'Which kernels ran is not on record: a run was stopped, or made by an older version.',
    );
  const more = sentences.length > SHOWN ? `; and ${sentences.length - SHOWN} more, in records.jsonl` : '';
  const message =
    sentences.length === 0
      ? 'No op ran on a substitute of its kernel.'
      : `Slower kernels stood in for the ones meant, so speeds are theirs: ${sentences.slice(0, SHOWN).join('; ')}${more}.`;
  return check('kernels-as-meant', 'warning', sentences.length === 0 ? 'passed' : 'failed', message);
}

/** Checks that commits without uncommitted changes name the code of all that was measured. */
export function cleanCode({ selection }: CheckInput): Check {
  const { stretches, unknownStretch } = selection;
  const states = stretches.flatMap(({ environment: { git } }) => git ?? []);
  if (states.length === 0 || unknownStretch || states.length < stretches.length)
    return check('clean-code', 'note', 'untested', 'Not all was measured from a git checkout whose state is on record.');
  const commits = [...new Set(states.map(({ commit }) => commit.slice(0, 12)))];
  const dirty = [...new Set(states.flatMap((state) => (state.dirty ? [state.commit.slice(0, 12)] : [])))];
  const names = `${commits.length === 1 ? 'Commit' : 'Commits'} ${commits.join(', ')}`;
  const changes = commits.length === 1 ? 'with uncommitted changes' : `with uncommitted changes at ${dirty.join(', ')}`;
  return check(
    'clean-code',
    'note',
    dirty.length === 0 ? 'passed' : 'failed',
    `${names}${dirty.length === 0 ? ', without uncommitted changes' : ` ${changes}`}.`,
  );
}
