import { statSync } from 'node:fs';
import { groupBy } from '../core/group-by.ts';
import { gemmArm } from '../measure/kernel-cases.ts';
import { modelPath } from '../model/format/bundled.ts';
import type { ModelConfig } from '../model/format/config.ts';
import { checkpointFiles } from '../model/format/weights/checkpoint.ts';
import { weightElements } from '../model/format/weights/weights.ts';
import { type Backend, BYTES_PER_ELEMENT } from '../native/backend.ts';
import { recordsOf } from '../records/record.ts';
import type { RecordLog } from '../records/record-log.ts';
import { type Cell, groupOf, isQuality } from '../suite/cells.ts';
import type { Suite } from '../suite/schema.ts';
import type { CellState } from './cell-states.ts';
import { operationsOf, workOf } from './cell-work.ts';

/** What a run would take, and on what these figures are based. */
export interface Estimate {
  readonly seconds: number;
  readonly peakBytes: number;
  readonly diskBytes: number;
  /** Where these figures come from, in whole sentences. */
  readonly basis: readonly string[];
}

export interface EstimateInput {
  readonly suite: Suite;
  readonly config: ModelConfig;
  readonly backend: Backend;
  readonly cells: readonly Cell[];
  readonly states: readonly CellState[];
  /** The records that the run's folder already holds; empty for a new folder. */
  readonly log: RecordLog;
}

/** Bytes of a record line of each kind, and of a report, as in the released run of suites/reference.yaml. */
const LINE_BYTES = { plan: 4000, sample: 1300, loss: 400, timing: 1100 } as const;
const REPORT_BYTES = 3 * 2 ** 20;
/** Bytes of one value of a profile on disk: one float64 in each of three arrays, in base64. */
const PROFILE_VALUE_BYTES = 3 * 8 * (4 / 3);
const TRIAL_MS = 150;

/**
 * Time, memory and disk that the open cells still need. A cell that ran before is taken to need as long as then. Other cells are estimated from their
 * operations and a trial of this machine, which takes well under a second.
 */
export async function estimateRun(input: EstimateInput): Promise<Estimate> {
  const open = cellsToDo(input);
  const { seconds, basis } = await estimateTimes(input);
  const cells = open.map(({ cell }) => cell);
  return {
    seconds: [...seconds.values()].reduce((a, b) => a + b, 0),
    peakBytes: open.length === 0 ? 0 : peakBytes(cells, input),
    diskBytes: open.length === 0 ? 0 : diskBytes(open, input),
    basis: [
      ...basis,
      ...(open.length === 0 ? [] : ['Memory: weights, the largest cache, and activations of a prompt; profiling may take more.']),
      ...(open.length === 0 ? [] : ['Disk: records, profiles and report, by the sizes that they had in the released reference run.']),
    ],
  };
}

export interface TimeEstimate {
  /** The seconds of every cell that is not done, by its id. */
  readonly seconds: ReadonlyMap<string, number>;
  /** Where these figures come from, a sentence each. */
  readonly basis: readonly string[];
}

/** The time part of `estimateRun`, cell by cell. */
export async function estimateTimes(input: EstimateInput): Promise<TimeEstimate> {
  const open = cellsToDo(input);
  const recorded = recordedSeconds(open, input);
  const modelled = open.filter(({ cell }) => !recorded.has(cell.id));
  const model = modelled.length === 0 ? null : await modelledSeconds(modelled, input);
  return {
    seconds: new Map([...recorded, ...(model?.seconds ?? [])]),
    basis: [
      ...(recorded.size === 0 ? [] : [`Time of ${recorded.size} cells: what they took when they last ran here.`]),
      ...(model === null ? [] : [model.basis]),
    ],
  };
}

interface CellToDo {
  readonly cell: Cell;
  readonly state: CellState;
}

function cellsToDo({ cells, states }: EstimateInput): CellToDo[] {
  return cells.flatMap((cell, i) => {
    const state = states[i];
    return state === undefined || state.status === 'done' ? [] : [{ cell, state }];
  });
}

/**
 * Seconds that open cells took when they ran before. Cells of a comparison run side by side, and each of them records the time of all; here each gets an
 * equal part of it.
 */
function recordedSeconds(open: readonly CellToDo[], { cells, log }: EstimateInput): Map<string, number> {
  const walls = new Map(recordsOf(log.records, 'outcome').flatMap((o) => (o.status === 'completed' ? [[o.cellId, o.wallMs / 1000]] : [])));
  const isTogether = (cell: Cell): boolean => cell.kind !== 'plan' && cell.kind !== 'maxBatch';
  const groups = groupBy(
    cells.filter((cell) => isTogether(cell) && walls.has(cell.id)),
    groupOf,
  );
  return new Map(
    open.flatMap(({ cell }) => {
      const wall = walls.get(cell.id);
      const sharing = isTogether(cell) ? (groups.get(groupOf(cell))?.length ?? 1) : 1;
      return wall === undefined ? [] : [[cell.id, wall / sharing]];
    }),
  );
}

async function modelledSeconds(
  open: readonly CellToDo[],
  { suite, config, backend }: EstimateInput,
): Promise<{ readonly seconds: ReadonlyMap<string, number>; readonly basis: string }> {
  const rates = { prompts: await gemmRate(backend, suite, config, 256), steps: await gemmRate(backend, suite, config, 1) };
  const firstMoa = open.find(({ cell }) => cell.kind === 'plan' && cell.options.method === 'moa');
  const seconds = open.map((item) => {
    const work = workOf(item.cell, suite, { samplesDone: item.state.samplesDone, first: item === firstMoa });
    const operations = operationsOf(work, config, weightElements(config));
    return [item.cell.id, operations.prompts / rates.prompts + Math.max(operations.steps / rates.steps, work.leastSeconds)] as const;
  });
  const gflops = (rate: number): string => (rate / 1e9).toPrecision(2);
  const basis = `Time of ${open.length} cells that did not run here yet: operations of dense prompts and the longest answers at the rates of this machine's matrix products now (${gflops(rates.prompts)} GFLOP/s for 256 rows, ${gflops(rates.steps)} for one); within a factor of two or three.`;
  return { seconds: new Map(seconds), basis };
}

/** Floating-point operations per second of the MLP's matrix product with `m` rows, from a trial. */
async function gemmRate(backend: Backend, suite: Suite, config: ModelConfig, m: number): Promise<number> {
  const weights = suite.model.weightDType ?? 'bf16';
  const activations = suite.backend.activations ?? (backend.traits.halfActivations ? weights : 'f32');
  const arm = gemmArm(backend, 'estimate', { m, n: config.intermediateSize, k: config.hiddenSize, weights, activations });
  try {
    let [best, spent] = [Number.POSITIVE_INFINITY, 0];
    for (let i = 0; i < 3 || (spent < TRIAL_MS && i < 1000); i++) {
      const ms = await arm.run();
      best = Math.min(best, ms);
      spent += ms;
    }
    return arm.flops / (Math.max(best, 1e-4) / 1000);
  } finally {
    arm.dispose();
  }
}

function peakBytes(cells: readonly Cell[], { suite, config }: EstimateInput): number {
  const perToken = 2 * config.layers * config.kvHeads * config.headDim * BYTES_PER_ELEMENT[suite.model.kvDType];
  const caches = cells.map((cell) => {
    if (isQuality(cell) || cell.kind === 'prefill') return perToken * cell.length;
    if (cell.kind === 'decode') return perToken * cell.length * cell.batch;
    return cell.kind === 'plan' && cell.options.method === 'moa' ? perToken * (suite.compress?.validate.length ?? 0) : 0;
  });
  const limits = cells.flatMap((cell) => (cell.kind === 'maxBatch' ? [cell.memoryLimitMiB * 2 ** 20] : []));
  const { hiddenSize: C, intermediateSize: F, heads, kvHeads, headDim } = config;
  const row = 4 * (2 * C + (2 * heads + 2 * kvHeads) * headDim + 3 * F); // model/inference/workspace: the buffers of one row, in f32
  return Math.max(weightBytes(suite, config) + Math.max(...caches) + row * suite.generation.chunkTokens, ...limits);
}

function weightBytes({ model }: Suite, config: ModelConfig): number {
  if (model.weightDType !== undefined) return weightElements(config) * BYTES_PER_ELEMENT[model.weightDType];
  if (model.path.startsWith('dummy:')) return weightElements(config) * BYTES_PER_ELEMENT.bf16;
  return checkpointFiles(modelPath(model.path)).reduce((sum, file) => sum + statSync(file).size, 0);
}

function diskBytes(open: readonly CellToDo[], { suite, config }: EstimateInput): number {
  const lines = open.map(({ cell, state }) => {
    if (isQuality(cell)) return (cell.samples - state.samplesDone) * (cell.kind === 'perplexity' ? LINE_BYTES.loss : LINE_BYTES.sample);
    return cell.kind === 'plan' ? LINE_BYTES.plan + 40 * config.layers * config.kvHeads : LINE_BYTES.timing;
  });
  const profiles = open.some(({ cell }) => cell.kind === 'plan' && cell.options.method === 'moa')
    ? (suite.compress?.profileLengths ?? [])
    : [];
  const values = profiles.reduce((sum, length) => sum + config.layers * config.kvHeads * Math.ceil(length / 64), 0);
  return REPORT_BYTES + values * PROFILE_VALUE_BYTES + lines.reduce((a, b) => a + b, 0);
}
