import { invalidArgument } from '../../core/errors.ts';
import type { RecordOf, RunRecord } from '../../records/record.ts';
import type { Suite } from '../../suite/schema.ts';
import { type Selection, selectRecords } from '../selection.ts';
import { type TimedArm, timedArms } from '../speed/timed-arms.ts';
import type { Comparison, SideFacts } from './comparison.ts';

/** One of the two runs. */
export interface Side {
  readonly facts: SideFacts;
  readonly run: RecordOf<'run'>;
  readonly suite: Suite;
  readonly selection: Selection;
  /** Ids of cells that completed. */
  readonly completed: ReadonlySet<string>;
  /** The timed contenders, without the control (the baseline's second timing). */
  readonly arms: readonly TimedArm[];
}

export interface Sides {
  readonly base: Side;
  readonly head: Side;
}

export interface SideInput {
  /** As the user named it. */
  readonly folder: string;
  readonly run: RecordOf<'run'>;
  readonly records: readonly RunRecord[];
  readonly suite: Suite;
}

export function sideOf({ folder, run, records, suite }: SideInput): Side {
  const selection = selectRecords(records, suite);
  const states = selection.stretches.flatMap(({ environment: { git } }) =>
    git === null ? [] : [`${git.commit.slice(0, 12)}${git.dirty ? '*' : ''}`],
  );
  return {
    facts: {
      folder,
      suite: run.suite.name,
      version: run.version,
      model: run.model,
      backend: run.backend.description,
      commits: [...new Set(states)],
      finished: records.at(-1)?.time ?? run.time,
    },
    run,
    suite,
    selection,
    completed: new Set(selection.outcomes.flatMap((outcome) => (outcome.status === 'completed' ? [outcome.cellId] : []))),
    arms: timedArms(selection.measurements).filter((arm) => !arm.control),
  };
}

export type MethodPair = Comparison['methods'][number];

/**
 * The methods that both runs have, paired by id, in HEAD's order. `renamed`: BASE's id -> HEAD's id.
 * @throws MoaError INVALID_ARGUMENT when `renamed` names a method that does not exist, or gives two methods the same new id.
 */
export function pairMethods(base: Suite, head: Suite, renamed: ReadonlyMap<string, string>): MethodPair[] {
  const has = (suite: Suite, id: string): boolean => suite.methods.some((method) => method.id === id);
  for (const [from, to] of renamed) {
    const missing = has(base, from) ? (has(head, to) ? null : ([to, 'HEAD', head] as const)) : ([from, 'BASE', base] as const);
    if (missing === null) continue;
    const [id, where, suite] = missing;
    throw invalidArgument(`a method of ${where} (${suite.methods.map((method) => method.id).join(', ')})`, '--map', id);
  }
  const targets = [...renamed.values()];
  if (new Set(targets).size < targets.length) throw invalidArgument('different methods of HEAD', '--map', targets);
  const fromHead = new Map([...renamed].map(([from, to]) => [to, from]));
  return head.methods.flatMap(({ id, label }) => {
    const from = fromHead.get(id) ?? (renamed.has(id) ? undefined : id);
    return from !== undefined && has(base, from) ? [{ base: from, head: id, label: label ?? id }] : [];
  });
}
