import { groupBy } from '../core/group-by.ts';
import type { PromptModel } from '../data/readers/prompt-model.ts';
import { WITHOUT_PLAN } from '../records/record.ts';
import type { RecordLog } from '../records/record-log.ts';
import { type Cell, expandCells, groupOf, isQuality, type QualityCell } from '../suite/cells.ts';
import { type Address, addressOrNone } from './addresses.ts';
import type { RunContext } from './context.ts';
import { changedParts } from './parts.ts';
import { type ModelShape, recordedPlan } from './plan-record.ts';
import { addressed } from './sample-content.ts';
import { samplesOf } from './samples.ts';

export interface CellState {
  readonly id: string;
  readonly kind: Cell['kind'];
  readonly method: string;
  /**
   * `done`: will not run again. `partial`: a run continues after the recorded samples, or after the processes that timed it. `stale`: it has results, but
   * something that they depend on has changed since, so it is measured again.
   */
  readonly status: 'done' | 'partial' | 'stale' | 'to do';
  /** How many recorded samples the suite still asks for. */
  readonly samplesDone: number;
  /** Why it is not done although there are results or an earlier attempt; each reason is a clause in words. */
  readonly reasons: readonly string[];
}

export interface StatesInput extends Pick<RunContext, 'suite' | 'suiteFolder' | 'identity'> {
  readonly log: RecordLog;
  readonly shape: ModelShape;
  /** Gives what makes prompts. Called only when recorded samples must be compared with the samples that the suite asks for now. */
  readonly prompts: () => PromptModel;
}

/** What a run that continues these records would do with each of these cells, in their order. */
export async function cellStates(cells: readonly Cell[], input: StatesInput): Promise<readonly CellState[]> {
  const plans: RunContext['plans'] = new Map();
  for (const cell of expandCells(input.suite)) {
    const plan = cell.kind === 'plan' ? recordedPlan(input.log, addressOrNone(cell, { ...input, plans }).cell, input.shape) : null;
    if (plan !== null) plans.set(cell.method, plan);
  }
  const states: CellState[] = [];
  for (const cell of cells) states.push(await stateOf(cell, addressOrNone(cell, { ...input, plans }), input));
  return timedTogether(states, cells);
}

async function stateOf(cell: Cell, address: Address, input: StatesInput): Promise<CellState> {
  const { log } = input;
  const common = { id: cell.id, kind: cell.kind, method: cell.method, samplesDone: 0 };
  if (address.cell === WITHOUT_PLAN && cell.kind !== 'plan') {
    const isAgain = log.addresses.has(`plan/${cell.method}`);
    const reason = `depends on plan/${cell.method}, which is made${isAgain ? ' again' : ' first'}`;
    return { ...common, status: hadResults(cell, log) ? 'stale' : 'to do', reasons: isAgain ? [reason] : [] };
  }
  const samplesDone = isQuality(cell) ? await countDone(cell, address, input) : 0;
  const processes = processesOf(cell, address.cell, input);
  const isWhole = isQuality(cell) ? samplesDone === cell.samples : processes !== null && processes.timed === processes.asked;
  if (isWhole || (processes === null && log.isDone(address.cell, address.sampleSet)))
    return { ...common, samplesDone, status: 'done', reasons: [] };
  if (samplesDone > 0) return { ...common, samplesDone, status: 'partial', reasons: [] };
  if (processes !== null && processes.timed > 0) {
    return { ...common, status: 'partial', reasons: [`is timed in ${processes.timed} of ${processes.asked} processes`] };
  }
  const failed = log.outcomeOf(address.cell);
  if (failed?.status === 'failed') return { ...common, status: 'to do', reasons: [`failed before: ${failed.error.message}`] };
  const before = log.addresses.get(cell.id);
  if (before === undefined || !hadResults(cell, log)) return { ...common, status: 'to do', reasons: [] };
  const changes = changedParts(before.parts, address.parts);
  return { ...common, status: 'stale', reasons: changes.length === 0 ? ['its records are damaged or were edited'] : changes };
}

/** How many processes the suite asks for, and how many of them have timed the cell; null for a cell that is not timed. All count for an unfit cell. */
function processesOf({ kind }: Cell, hash: string, { log, suite }: StatesInput): { readonly timed: number; readonly asked: number } | null {
  if (kind !== 'prefill' && kind !== 'decode') return null;
  const asked = suite.efficiency?.processes ?? 1;
  const records = log.ofCell(hash);
  if (records.some((record) => record.kind === 'unfit')) return { timed: asked, asked };
  const timed = new Set(records.flatMap((record) => (record.kind === 'measurement' && record.process < asked ? [record.process] : [])));
  return { timed: timed.size, asked };
}

function hadResults(cell: Cell, log: RecordLog): boolean {
  const before = log.addresses.get(cell.id)?.cell;
  return before !== undefined && before !== WITHOUT_PLAN && log.ofCell(before).some(({ kind }) => kind !== 'outcome');
}

/** How many of the samples that the cell asks for are recorded. Prompts are made only when samples are recorded but the sample set is not. */
async function countDone(cell: QualityCell, { cell: hash, sampleSet }: Address, { log, prompts, ...input }: StatesInput): Promise<number> {
  const scored = log.scored(hash);
  if (scored.size === 0) return 0;
  const known = sampleSet === null ? undefined : log.samplesOf(sampleSet);
  if (known !== undefined) return [...known].filter((content) => scored.has(content)).length;
  let done = 0;
  const model = prompts();
  for await (const { content } of addressed(samplesOf(cell, { ...input, model }), model.tokenizer)) if (scored.has(content)) done++;
  return done;
}

/** A group is timed as a whole: when one of its cells is not done, its done cells become `stale`, because they are timed again beside that cell. */
function timedTogether(states: readonly CellState[], cells: readonly Cell[]): readonly CellState[] {
  const timed = cells.filter(({ kind }) => kind === 'prefill' || kind === 'decode');
  const groups = groupBy(timed, groupOf);
  return states.map((state) => {
    const group = groups.get(state.id.slice(0, state.id.lastIndexOf('/'))) ?? [];
    const open = states.filter(({ id, status }) => status !== 'done' && group.some((cell) => cell.id === id));
    if (state.status !== 'done' || open.length === 0 || !group.some(({ id }) => id === state.id)) return state;
    return { ...state, status: 'stale', reasons: [`is timed again beside ${open.map(({ id }) => id).join(', ')}`] };
  });
}

/** A cell of a run that has no records yet. */
export function toDo({ id, kind, method }: Cell): CellState {
  return { id, kind, method, status: 'to do', samplesDone: 0, reasons: [] };
}
