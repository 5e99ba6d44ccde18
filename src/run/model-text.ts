import type { TextOptions } from '../model/load.ts';
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

/** Today, as a template's date. */
export function today(): string {
  return new Date().toISOString().slice(0, 10);
}
