import type { Environment } from '../../records/environment.ts';
import { quietMachine } from '../checks/machine.ts';
import type { TimedArm } from '../speed/timed-arms.ts';
import type { Side } from './sides.ts';

/** The facts of a machine, by name. Timings are judged only between machines that have all facts in common. */
type MachineClass = ReadonlyMap<string, string>;

/** Reads a description such as `cuda: NVIDIA H100 80GB HBM3 (device 0, sm_90, 132 SMs, 81079 MiB), CUDA 13.0, driver 13.0, cuBLASLt 13.1.0`. */
const CUDA = /^cuda: (?<name>.+) \(device \d+, (?<chip>[^)]*?)(?:, \d+ MiB)?\).*?, driver (?<driver>[\w.]+)/;

/**
 * The facts that decide how fast equal code runs, as far as a run records them: device and driver, processor, threads, and the clock that was read. Left out are
 * the number of the device among equal ones, and the versions of libraries, because two builds may differ in them.
 */
function classOf({ cpu, variables, backend }: Environment, threads: number | null): MachineClass {
  const cuda = CUDA.exec(backend.description)?.groups;
  const device: (readonly [string, string])[] =
    cuda === undefined
      ? [['backend', backend.description]]
      : [
          ['device', `${cuda.name}, ${cuda.chip}`],
          ['driver', cuda.driver ?? ''],
        ];
  const set = Object.entries(variables).filter(([name]) => name !== 'CUDA_VISIBLE_DEVICES');
  return new Map([
    ...device,
    ['processor', cpu.model],
    ['usable cores', String(cpu.usableCores)],
    ['threads', threads === null ? 'default' : String(threads)],
    ['timer', String(backend.details.timer ?? 'unknown')],
    ...set,
  ]);
}

/** Why the times of two arms cannot be judged; null when both ran on machines of one class. */
export function machineProblem(
  base: { readonly side: Side; readonly arm: TimedArm },
  head: { readonly side: Side; readonly arm: TimedArm },
): string | null {
  const [own, other] = [classesOf(head), classesOf(base)];
  const [mine, theirs] = [own[0], other[0]];
  if (mine === undefined || theirs === undefined) return 'the machine that timed is not on record';
  for (const one of [...own.slice(1), ...other.slice(1)]) {
    if (differing(one, own.includes(one) ? mine : theirs) !== null) return 'one run was timed on several machines';
  }
  const difference = differing(theirs, mine);
  return difference === null ? null : `another ${difference}`;
}

/** The first fact that differs, as `processor: A and B`; null when none does. */
function differing(a: MachineClass, b: MachineClass): string | null {
  const name = [...new Set([...a.keys(), ...b.keys()])].find((key) => a.get(key) !== b.get(key));
  return name === undefined ? null : `${name}: ${a.get(name) ?? 'none'} and ${b.get(name) ?? 'none'}`;
}

/** The machine class of each stretch in which an arm was timed. Empty when one of these stretches is not on record. */
function classesOf({ side, arm }: { readonly side: Side; readonly arm: TimedArm }): MachineClass[] {
  const used = new Set(arm.measurements.map(({ stretch }) => stretch));
  const stretches = side.selection.stretches.filter(({ id }) => used.has(id));
  if (stretches.length < used.size) return [];
  return stretches.map(({ environment }) => classOf(environment, side.run.backend.threads));
}

/** Whether other programs were running when a run was timed. Its own report says the same. */
export function wasBusy({ selection }: Side): boolean {
  return quietMachine({ selection }).status === 'failed';
}
