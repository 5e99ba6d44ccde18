import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CompressContext } from '../../../src/compress/methods/method.ts';
import { loadModel } from '../../../src/model/load.ts';
import type { Backend } from '../../../src/native/backend.ts';
import { type Suite, type SuiteMethod, suiteSchema } from '../../../src/suite/schema.ts';

/** A suite with these methods over lengths of 512 and 1,024. */
export function suiteWith(methods: readonly object[], parts: object = {}): Suite {
  const efficiency = { prefill: { lengths: [512, 1024] } };
  return suiteSchema.parse({ version: 1, name: 'methods', model: { path: 'dummy:tiny' }, methods, efficiency, ...parts });
}

/** Options of the suite's method, as the schema fills them in. */
export function optionsOf<M extends SuiteMethod['method']>(suite: Suite, method: M): Extract<SuiteMethod, { method: M }> {
  const found = suite.methods.find((options): options is Extract<SuiteMethod, { method: M }> => options.method === method);
  if (found === undefined) throw new Error(`the suite has no ${method}`);
  return found;
}

/** What a method is given, with a fresh folder for its files; the caller disposes of the model. */
export async function methodContext(backend: Backend, suite: Suite, path: string = suite.model.path): Promise<CompressContext> {
  const folder = mkdtempSync(join(tmpdir(), 'methods-'));
  const model = await loadModel({ path, backend });
  return { model, suite, suiteFolder: folder, profileFolder: join(folder, 'profile'), identity: 'aaaaaaaa' };
}
