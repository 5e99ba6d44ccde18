import { MoaError } from '../core/errors.ts';
import type { OnProgress } from '../core/progress.ts';
import { userTurn } from '../model/format/template/chat-template.ts';
import type { Cell } from '../suite/cells.ts';
import { cellStates, toDo } from './cell-states.ts';
import type { RunContext } from './context.ts';
import { estimateTimes } from './estimate.ts';
import { RunClock } from './run-clock.ts';

/**
 * The context's `onProgress`, with the time that the whole run still takes added to each step. Making it runs a trial of the machine, which takes well under
 * a second. When no estimate can be made (memory is too short for the trial), it is the unchanged `onProgress`.
 */
export async function tellingTimeLeft(context: RunContext, cells: readonly Cell[]): Promise<OnProgress> {
  const { store, onProgress } = context;
  const clock = await clockOf(context, cells);
  if (clock === null) return onProgress;
  const ended = new Set<string>();
  let seen = store.records.length;
  return (progress) => {
    for (; seen < store.records.length; seen++) {
      const record = store.records[seen];
      if (record?.kind === 'outcome') ended.add(record.cellId);
    }
    if (progress.of === undefined) return onProgress(progress);
    onProgress({ ...progress, runSecondsLeft: clock.secondsLeft(progress.of, (id) => ended.has(id)) });
  };
}

async function clockOf(context: RunContext, cells: readonly Cell[]): Promise<RunClock | null> {
  const { suite, store, model } = context;
  const prompts = () => ({ tokenizer: model.tokenizer, wrapUser: userTurn(model) });
  try {
    const states =
      store.records.length === 0 ? cells.map(toDo) : await cellStates(cells, { ...context, log: store, shape: model.config, prompts });
    const { seconds } = await estimateTimes({ suite, config: model.config, backend: model.backend, cells, states, log: store });
    return new RunClock(seconds);
  } catch (error) {
    if (error instanceof MoaError) return null;
    throw error;
  }
}
