import { join } from 'node:path';
import { MoaError } from '../core/errors.ts';
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

/** Where samples come from: a generator, or a file, which is named as the suite names it, relative to the suite's folder. */
export type CellSource = { readonly kind: 'generated' } | { readonly kind: 'longeval' | 'longbench'; readonly path: string };

/** Scores the samples of one task at one length. */
export interface QualityCell extends CellCommon {
  readonly kind: 'retrieval' | 'longbench' | 'perplexity';
  readonly source: CellSource;
  readonly task: string;
  readonly length: number;
  readonly samples: number;
}

/** Whether a cell scores samples. */
export function isQuality(cell: Cell): cell is QualityCell {
  return cell.kind === 'retrieval' || cell.kind === 'longbench' || cell.kind === 'perplexity';
}

interface TimedCommon extends CellCommon {
  /** A cache other than that of the method's plan; null: the plan's own. */
  readonly cache: 'dynamic' | null;
  /** Whether this is the baseline once more, as a control: it shows what the clock says of two equal programs. */
  readonly control: boolean;
}

interface PrefillCell extends TimedCommon {
  readonly kind: 'prefill';
  readonly length: number;
  readonly rounds: number;
}

interface DecodeCell extends TimedCommon {
  readonly kind: 'decode';
  readonly length: number;
  readonly batch: number;
  readonly newTokens: number;
  readonly segmentMs: number;
  readonly rounds: number;
}

export interface MaxBatchCell extends CellCommon {
  readonly kind: 'maxBatch';
  /**
   * Always the cache of the method's plan, because a growing cache has no fixed size to search with. The field is here because hashes of
   * cells include it.
   */
  readonly cache: null;
  readonly length: number;
  readonly memoryLimitMiB: number;
  readonly largest: number;
}

/** A cell whose method is timed. */
export type TimedCell = PrefillCell | DecodeCell;

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
    const source = retrieval === undefined ? GENERATED : retrievalSource(retrieval, length);
    conditions.push({ kind: 'retrieval', source, task: retrieval?.task ?? '', length, samples: retrieval?.samples ?? 0 });
  }
  for (const task of longbench?.tasks ?? []) {
    const source: CellSource =
      longbench?.source.kind === 'longbench' ? { kind: 'longbench', path: join(longbench.source.folder, `${task}.jsonl`) } : GENERATED;
    conditions.push({ kind: 'longbench', source, task, length: longbench?.length ?? 0, samples: longbench?.samples ?? 0 });
  }
  for (const task of perplexity?.tasks ?? []) {
    conditions.push({ kind: 'perplexity', source: GENERATED, task, length: perplexity?.length ?? 0, samples: perplexity?.samples ?? 0 });
  }
  return conditions.flatMap((condition) =>
    suite.methods.map((m) => ({ ...condition, id: `${condition.kind}/${condition.task}/${condition.length}/${m.id}`, method: m.id })),
  );
}

const GENERATED: CellSource = { kind: 'generated' };

function retrievalSource({ source }: NonNullable<NonNullable<Suite['quality']>['retrieval']>, length: number): CellSource {
  if (source.kind === 'generated') return GENERATED;
  const file = source.files.find((f) => f.length === length);
  if (file === undefined)
    throw new MoaError(`Expected a LongEval file for length ${length} but received none`, { code: 'INVALID_ARGUMENT' });
  return { kind: 'longeval', path: file.path };
}

function efficiencyCells(suite: Suite): Cell[] {
  const { prefill, decode, maxBatch } = suite.efficiency ?? {};
  const arms = timedArms(suite);
  const cells: Cell[] = [];
  for (const length of prefill?.lengths ?? []) {
    for (const arm of arms)
      cells.push({ kind: 'prefill', ...arm, id: `prefill/${length}/${arm.id}`, length, rounds: prefill?.rounds ?? 1 });
  }
  for (const length of decode?.lengths ?? []) {
    for (const batch of decode?.batch ?? []) {
      const condition = {
        length,
        batch,
        newTokens: decode?.newTokens ?? 1,
        segmentMs: decode?.segmentMs ?? 0,
        rounds: decode?.rounds ?? 1,
      };
      for (const arm of arms) cells.push({ kind: 'decode', ...arm, ...condition, id: `decode/${length}x${batch}/${arm.id}` });
    }
  }
  if (maxBatch !== undefined) {
    const id = (method: SuiteMethod): string => `maxBatch/${maxBatch.length}/${method.id}`;
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
