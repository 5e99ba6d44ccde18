import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomic } from '../core/files.ts';
import { contentHash } from '../core/hash.ts';
import { weightElements } from '../model/format/weights/weights.ts';
import type { LanguageModel } from '../model/inference/language-model.ts';
import { type RecordOf, recordsOf } from '../records/record.ts';
import { RECORD_VERSION } from '../records/version.ts';
import type { Cell } from '../suite/cells.ts';
import type { Suite } from '../suite/schema.ts';
import { now, type RunContext } from './context.ts';
import { originOf } from './run-folder.ts';
import type { CellFilter } from './select-cells.ts';

/** Whether decode steps are replayed from a recorded graph; `unavailable` when the backend has no graphs. */
export function graphUse(model: LanguageModel, suite: Suite): 'on' | 'off' | 'unavailable' {
  return model.backend.traits.graphs ? suite.backend.graph : 'unavailable';
}

export interface RunFacts {
  readonly suitePath: string;
  /** The command that repeats this run. */
  readonly command: string;
  readonly only: CellFilter;
  readonly version: string;
  readonly cells: readonly Cell[];
}

/**
 * Records the run and its suite. The record is written just before the run's first other record, so that a run with nothing to do changes nothing. When the
 * folder holds another suite or none, suite.json and the record are written at once, because reports are made from them.
 */
export function recordRun(context: RunContext, facts: RunFacts): void {
  const { store, suite, folder } = context;
  const run = runRecord(context, facts);
  const last = recordsOf(store.records, 'run').at(-1);
  if (last?.suite.hash === run.suite.hash && existsSync(join(folder, 'suite.json'))) store.preface(run);
  else {
    writeFileAtomic(join(folder, 'suite.json'), `${JSON.stringify(suite, null, 2)}\n`);
    store.append(run);
  }
}

function runRecord({ suite, folder, model, store }: RunContext, facts: RunFacts): RecordOf<'run'> {
  const { layers, heads, kvHeads, headDim } = model.config;
  return {
    kind: 'run',
    time: now(),
    recordVersion: RECORD_VERSION,
    runId: contentHash({ time: now(), pid: process.pid }),
    origin: originOf(folder),
    resumed: store.records.some((r) => r.kind === 'run'),
    suite: { name: suite.name, hash: contentHash(suite), path: facts.suitePath },
    version: facts.version,
    command: facts.command,
    ...(facts.only.length === 0 ? {} : { chosen: facts.cells.map((cell) => cell.id) }),
    model: {
      name: model.name,
      weightsHash: model.weightsHash,
      layers,
      heads,
      kvHeads,
      headDim,
      parameters: weightElements(model.config),
      weightDType: model.weights.embedding.dtype,
      kvDType: suite.model.kvDType,
      template: model.template,
    },
    backend: {
      name: model.backend.name,
      description: model.backend.description,
      threads: suite.backend.threads ?? null,
      activationDType: model.activationDType,
      graph: graphUse(model, suite),
    },
  };
}
