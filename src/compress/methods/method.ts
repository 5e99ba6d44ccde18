import type { OnProgress } from '../../core/progress.ts';
import type { LanguageModel } from '../../model/inference/language-model.ts';
import type { Plan } from '../../plan/schema.ts';
import type { Suite, SuiteMethod } from '../../suite/schema.ts';
import type { InfluenceProfile } from '../profile.ts';
import type { ValidatedFront } from '../validate.ts';

/** What a method is given to make its plan. */
export interface CompressContext {
  readonly model: LanguageModel;
  readonly suite: Suite;
  /** The suite file's folder: plan paths are relative to it. */
  readonly suiteFolder: string;
  /** Where profiles and fronts are kept and found again. */
  readonly profileFolder: string;
  /** Hash of what calibration sets and profiles depend on beside their options: the model's files, the code, the libraries. */
  readonly identity: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
}

export interface CompressResult {
  readonly plan: Plan;
  /** Profiles the plan rests on, for the record; empty for methods that look at no data. */
  readonly profiles: readonly ProfileUse[];
  readonly front: ValidatedFront | null;
}

export interface ProfileUse {
  readonly profile: InfluenceProfile;
  readonly path: string;
  readonly reused: boolean;
  readonly wallMs: number;
}

/**
 * A compression method: suite options in, plan out. Adding one touches the suite schema, one file here and one line of the registry.
 */
export interface Method<M extends SuiteMethod> {
  readonly name: M['method'];
  /** What the plan depends on besides the weights: equal keys give equal plans, so that a stored plan is reused. */
  key(options: M, suite: Suite, suiteFolder: string): unknown;
  compress(options: M, context: CompressContext): Promise<CompressResult>;
}
