/**
 * Public API: what a program needs to load a model, make plans for it, score and time what they do, and report. docs/api.md has an example
 * of all of it. Lengths and spans are in tokens, times in milliseconds, losses in nats per token, densities are shares of the dense KV bytes.
 * Whatever is refused or fails is a MoaError with a `code` and a `hint`.
 */

export { type CompressedModel, type CompressModelOptions, compressModel } from './compress/compress-model.ts';
export { type PlanOfRules, planOfRules } from './compress/methods/plan-of-rules.ts';
export { type ErrorCode, MoaError } from './core/errors.ts';
export type { OnProgress, Progress } from './core/progress.ts';
export { median } from './core/statistics/descriptive.ts';
export { pairedRatio, type TimingEstimate, type TimingRatio, timingRatio, typicalTime } from './core/statistics/timing.ts';
export { type GenerateOptions as SampleOptions, generateSamples } from './data/generate.ts';
export type { Sample } from './data/sample.ts';
export { type Score, scoreOutput } from './evaluate/score.ts';
export { type GenerationArm, type GenerationOutcome, type GenerationTimingOptions, timeGeneration } from './measure/generation.ts';
export { type Arm, type InterleaveOptions, interleave } from './measure/interleave.ts';
export { userTurn } from './model/format/template/chat-template.ts';
export { type GenerateOptions, type GenerateResult, generate } from './model/inference/generate.ts';
export type { LanguageModel } from './model/inference/language-model.ts';
export { type AnswerLoss, type AnswerLossOptions, answerLoss } from './model/inference/loss.ts';
export { type LoadOptions, loadModel } from './model/load.ts';
export type { Backend, BackendName } from './native/backend.ts';
export { type BackendAvailability, type BackendOptions, createBackend, listBackends } from './native/backends.ts';
export { type CacheLayout, cacheLayout, type LayoutOptions, wholeLayout } from './plan/cache-layout.ts';
export { loadPlan, savePlan } from './plan/file.ts';
export { type LintFinding, lintPlan } from './plan/lint.ts';
export type { Plan } from './plan/schema.ts';
export { densityAt, spansAt } from './plan/spans.ts';
export { type ReportedRun, type RunAndReportOptions, runAndReport } from './run/run-and-report.ts';
export { type RunOptions, type RunResult, runSuite } from './run/run-suite.ts';
export { type WrittenReport, writeRunReport } from './run/write-report.ts';
export type { SuiteInput } from './suite/schema.ts';
export type { Summary } from './summary/summary.ts';
