import type { TextOptions } from '../model/load.ts';
import { type RunRecord, recordsOf } from '../records/record.ts';
import type { Cell } from '../suite/cells.ts';
import type { Suite } from '../suite/schema.ts';

/**
 * What a run asks of a model's tokenizer and chat template: prompts are made for quality and for the profiles behind MoA's plans. `date` is
 * the one that a template may ask for; it is the same for the whole run.
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

/** The date that the run's template is told: that of the run that is gone on with, so that its prompts stay the same, else today's. */
export function templateDate(records: readonly RunRecord[]): string {
  const earlier = recordsOf(records, 'run').findLast(({ model }) => typeof model.template?.date === 'string');
  return earlier?.model.template?.date ?? new Date().toISOString().slice(0, 10);
}
