import type { Suite, SuiteMethod } from './schema.ts';

interface CellCommon {
  /** Readable and unique within the suite, such as `retrieval/lines/4096/moa-50`. */
  readonly id: string;
  /** The suite method's id. */
  readonly method: string;
}

/** Makes (or loads) the plan of a method; every other cell of the method needs it. */
export interface PlanCell extends CellCommon {
  readonly kind: 'plan';
  readonly options: SuiteMethod;
}

/** Scores the samples of one task at one length. */
export interface QualityCell extends CellCommon {
  readonly kind: 'retrieval' | 'longbench' | 'perplexity';
  readonly task: string;
  readonly length: number;
  readonly samples: number;
}

/** Whether a cell scores samples. */
export function isQuality(cell: Cell): cell is QualityCell {
  return cell.kind === 'retrieval' || cell.kind === 'longbench' || cell.kind === 'perplexity';
}

interface TimedCell extends CellCommon {
  /** null: the one that the method's plan asks for. */
  readonly cache: 'dynamic' | null;
  /** The baseline once more: what the clock says of two equal programs. */
  readonly control: boolean;
}

export interface PrefillCell extends TimedCell {
  readonly kind: 'prefill';
  readonly length: number;
  readonly rounds: number;
}

export interface DecodeCell extends TimedCell {
  readonly kind: 'decode';
  readonly context: number;
  readonly batch: number;
  readonly newTokens: number;
  readonly segmentMs: number;
  readonly rounds: number;
}

export interface MaxBatchCell extends CellCommon {
  readonly kind: 'maxBatch';
  /** The one that the method's plan asks for: a growing cache has no fixed size to search with. Said because cell hashes hold it. */
  readonly cache: null;
  readonly contextTokens: number;
  readonly memoryLimitMiB: number;
  readonly largest: number;
}

export type Cell = PlanCell | QualityCell | PrefillCell | DecodeCell | MaxBatchCell;

/**
 * The cells of a suite in the order to run them: plans, quality, efficiency. Cells that differ only in the method follow one another,
 * so that a group with the same `groupOf` can be timed in interleaved rounds.
 */
export function expandCells(suite: Suite): readonly Cell[] {
  return [...planCells(suite), ...qualityCells(suite), ...efficiencyCells(suite)];
}

/** What the cells of one comparison share: the id without the method. */
export function groupOf(cell: Cell): string {
  return cell.id.slice(0, cell.id.lastIndexOf('/'));
}

function planCells(suite: Suite): Cell[] {
  return suite.methods.map((options) => ({ kind: 'plan', id: `plan/${options.id}`, method: options.id, options }));
}

function qualityCells(suite: Suite): Cell[] {
  const { retrieval, longbench, perplexity } = suite.quality ?? {};
  const conditions: Omit<QualityCell, 'id' | 'method'>[] = [];
  for (const length of retrieval?.lengths ?? []) {
    conditions.push({ kind: 'retrieval', task: retrieval?.task ?? '', length, samples: retrieval?.samples ?? 0 });
  }
  for (const task of longbench?.tasks ?? []) {
    conditions.push({ kind: 'longbench', task, length: longbench?.length ?? 0, samples: longbench?.samples ?? 0 });
  }
  for (const task of perplexity?.tasks ?? []) {
    conditions.push({ kind: 'perplexity', task, length: perplexity?.length ?? 0, samples: perplexity?.samples ?? 0 });
  }
  return conditions.flatMap((condition) =>
    suite.methods.map((m) => ({ ...condition, id: `${condition.kind}/${condition.task}/${condition.length}/${m.id}`, method: m.id })),
  );
}

function efficiencyCells(suite: Suite): Cell[] {
  const { prefill, decode, maxBatch } = suite.efficiency ?? {};
  const arms = timedArms(suite);
  const cells: Cell[] = [];
  for (const length of prefill?.lengths ?? []) {
    for (const arm of arms)
      cells.push({ kind: 'prefill', ...arm, id: `prefill/${length}/${arm.id}`, length, rounds: prefill?.rounds ?? 1 });
  }
  for (const context of decode?.contexts ?? []) {
    for (const batch of decode?.batch ?? []) {
      const condition = {
        context,
        batch,
        newTokens: decode?.newTokens ?? 1,
        segmentMs: decode?.segmentMs ?? 0,
        rounds: decode?.rounds ?? 1,
      };
      for (const arm of arms) cells.push({ kind: 'decode', ...arm, ...condition, id: `decode/${context}x${batch}/${arm.id}` });
    }
  }
  if (maxBatch !== undefined) {
    const id = (method: SuiteMethod): string => `maxBatch/${maxBatch.contextTokens}/${method.id}`;
    for (const m of suite.methods) cells.push({ kind: 'maxBatch', id: id(m), method: m.id, cache: null, ...maxBatch });
  }
  return cells;
}

function timedArms(suite: Suite): { id: string; method: string; cache: 'dynamic' | null; control: boolean }[] {
  const plain = suite.methods.map((m) => ({ id: m.id, method: m.id, cache: null, control: false }));
  const dense = suite.methods.find((m) => m.method === 'dense')?.id ?? '';
  const further = (suite.efficiency?.caches ?? []).map((cache) => ({ id: `${dense}+${cache}`, method: dense, cache, control: false }));
  const { baseline } = suite.report;
  return [...plain, ...further, { id: `${baseline}+control`, method: baseline, cache: null, control: true }];
}
