import type { Suite, SuiteMethod } from '../../suite/schema.ts';
import { denseMethod } from './dense.ts';
import type { CompressContext, CompressResult, Method } from './method.ts';
import { moaMethod } from './moa.ts';
import { planFileMethod } from './plan-file.ts';
import { streamingMethod } from './streaming.ts';

/** Every method by its suite name; the compiler names any that is missing. */
const METHODS: { readonly [K in SuiteMethod['method']]: Method<Extract<SuiteMethod, { method: K }>> } = {
  dense: denseMethod,
  streaming: streamingMethod,
  moa: moaMethod,
  plan: planFileMethod,
};

/** Makes the plan of one method of a suite. */
export function compress(options: SuiteMethod, context: CompressContext): Promise<CompressResult> {
  return methodOf(options).compress(options, context);
}

/** What the plan of a method depends on, besides the model's weights. */
export function compressKey(options: SuiteMethod, suite: Suite, suiteFolder: string): unknown {
  return { method: options.method, ...(methodOf(options).key(options, suite, suiteFolder) as object) };
}

function methodOf(options: SuiteMethod): Method<SuiteMethod> {
  return METHODS[options.method] as unknown as Method<SuiteMethod>;
}
