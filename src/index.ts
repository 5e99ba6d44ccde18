/** Public API: what a program needs to load a model, compress it, run it, and compare. */
export { MoaError } from './core/errors.ts';
export { median } from './core/statistics/descriptive.ts';
export { pairedRatio } from './core/statistics/timing.ts';
export { generateSamples } from './data/generate.ts';
export { scoreOutput } from './evaluate/score.ts';
export { interleave } from './measure/interleave.ts';
export { generate } from './model/inference/generate.ts';
export { answerLoss } from './model/inference/loss.ts';
export { loadModel } from './model/load.ts';
export { createBackend, listBackends } from './native/backends.ts';
export { cacheLayout, wholeLayout } from './plan/cache-layout.ts';
export { loadPlan, savePlan } from './plan/file.ts';
export { densityAt, spansAt } from './plan/spans.ts';
export { runSuite } from './run/run-suite.ts';
