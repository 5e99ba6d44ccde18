import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { PRESETS } from '../../src/model/format/presets.ts';
import { loadModel } from '../../src/model/load.ts';
import type { Backend } from '../../src/native/backend.ts';
import { captureEnvironment } from '../../src/records/environment.ts';
import { RecordStore } from '../../src/records/store.ts';
import type { RunContext } from '../../src/run/context.ts';
import { makePlans } from '../../src/run/make-plans.ts';
import { Stretch } from '../../src/run/stretch.ts';
import { type Cell, expandCells } from '../../src/suite/cells.ts';
import { type Suite, suiteSchema } from '../../src/suite/schema.ts';
import { REFERENCE } from '../model/golden-model.ts';

/** A folder with the shape of a tiny model and the reference model's tokenizer: runs every stage in moments, with answers that mean nothing; `endsAtOnce`: of one token. */
export function tinyModelFolder({ endsAtOnce = false }: { readonly endsAtOnce?: boolean } = {}): string {
  const folder = mkdtempSync(join(tmpdir(), 'moabench-tiny-'));
  const { vocab_size } = JSON.parse(readFileSync(join(REFERENCE, 'config.json'), 'utf8')) as { vocab_size: number };
  writeFileSync(
    join(folder, 'config.json'),
    JSON.stringify({ ...PRESETS.tiny, vocab_size, ...(endsAtOnce && { eos_token_id: [...Array(vocab_size).keys()] }) }),
  );
  for (const file of ['tokenizer.json', 'tokenizer_config.json']) copyFileSync(join(REFERENCE, file), join(folder, file));
  afterAll(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** What the stages of a run of the suite share, with the plans of its methods made; `parts` as in a suite file. */
export async function tinyContext(backend: Backend, modelFolder: string, parts: object): Promise<RunContext> {
  const suite = suiteSchema.parse({ version: 1, name: 'tiny', model: { path: `dummy:${modelFolder}` }, ...parts });
  const folder = mkdtempSync(join(tmpdir(), 'moabench-run-'));
  const model = await loadModel({ path: suite.model.path, backend });
  const store = RecordStore.open(join(folder, 'records.jsonl'));
  afterAll(() => {
    store.close();
    model.dispose();
    rmSync(folder, { recursive: true });
  });
  const environment = captureEnvironment({ root: folder, backend: { name: backend.name, description: backend.description, details: {} } });
  const context: RunContext = {
    suite,
    suiteFolder: folder,
    folder,
    model,
    identity: { model: {}, native: {}, device: {}, code: { plan: {}, quality: {}, samples: {}, timing: {} }, data: () => ({}) },
    store,
    stretch: new Stretch({ store, folder, environment }),
    plans: new Map(),
    substitutions: new Set(),
    signal: new AbortController().signal,
    onProgress: () => {},
    onNote: () => {},
  };
  await makePlans(context, cellsOf(suite, 'plan'));
  return context;
}

/** The suite's cells of one kind. */
export function cellsOf<K extends Cell['kind']>(suite: Suite, kind: K): (Cell & { kind: K })[] {
  return expandCells(suite).filter((cell): cell is Cell & { kind: K } => cell.kind === kind);
}
