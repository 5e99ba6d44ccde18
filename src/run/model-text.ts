import type { TextOptions } from '../model/load.ts';
import { type RunRecord, recordsOf } from '../records/record.ts';
import type { Cell } from '../suite/cells.ts';
import type { Suite } from '../suite/schema.ts';

/**
 * What a run needs of a model's tokenizer and chat template. They are required when a cell makes prompts, that is for quality and for the profiles behind
 * MoA's plans. `date`: the date for templates that ask for one; it is the same for the whole run.
 */
export function modelText(suite: Suite, cells: readonly Cell[], date: string): TextOptions {
  const { templateVariables: variables } = suite.model;
  return {
    text: cells.some(makesPrompts) ? 'required' : 'if there',
    template: { date, ...(variables === undefined ? {} : { variables }) },
  };
}

function makesPrompts(cell: Cell): boolean {
  switch (cell.kind) {
    case 'plan':
      return cell.options.method === 'moa';
    case 'retrieval':
    case 'longbench':
    case 'perplexity':
      return true;
    default:
      return false;
  }
}

/** The date for the chat template, YYYY-MM-DD: the date of the run that is continued, so that its prompts stay the same; else today, in UTC. */
export function templateDate(records: readonly RunRecord[]): string {
  const earlier = recordsOf(records, 'run').findLast(({ model }) => typeof model.template?.date === 'string');
  return earlier?.model.template?.date ?? new Date().toISOString().slice(0, 10);
}
