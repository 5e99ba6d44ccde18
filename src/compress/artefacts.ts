import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { DEFAULT_SINK_TOKENS } from '../core/blocks.ts';
import { MoaError } from '../core/errors.ts';
import { writeFileAtomic } from '../core/files.ts';
import { contentHash } from '../core/hash.ts';
import { readJsonAs } from '../core/json-file.ts';
import { taskNamed } from '../data/tasks.ts';
import { type CalibrationOptions, type CalibrationSet, calibrate, calibrationKey, calibrationSetSchema } from './calibrate.ts';
import type { CompressContext, ProfileUse } from './methods/method.ts';
import { loadProfile, profileInfluence } from './profile.ts';

/** The calibration set at one length, from its file when it was made before. */
export async function calibrationSet(
  context: CompressContext,
  purpose: 'calibrate' | 'validate',
  { length, samples, answers }: Pick<CalibrationOptions, 'length' | 'samples' | 'answers'>,
): Promise<CalibrationSet> {
  const { calibration } = compressSection(context);
  const options: CalibrationOptions = {
    tasks: calibration.tasks.map((name) => taskNamed(name).name),
    samples,
    answers,
    answerTokens: calibration.answerTokens,
    length,
    chunkTokens: context.suite.generation.chunkTokens,
    graph: context.suite.backend.graph,
    seed: `${context.suite.seed}/${purpose}`,
    identity: context.identity,
    ...(context.signal === undefined ? {} : { signal: context.signal }),
    ...(context.onProgress === undefined ? {} : { onProgress: context.onProgress }),
  };
  const path = join(context.profileFolder, `${purpose}-${length}-${calibrationKey(options)}.json`);
  const stored = storedSet(path);
  if (stored?.identity === context.identity) return stored;
  const set = await calibrate(context.model, options);
  writeFileAtomic(path, `${JSON.stringify(set)}\n`);
  return set;
}

/** The influence profile at every profile length; shared by the moa methods of a suite through its files. */
export async function influenceProfiles(context: CompressContext, epsilon: number): Promise<readonly ProfileUse[]> {
  const { calibration, profileLengths } = compressSection(context);
  const uses: ProfileUse[] = [];
  for (const length of profileLengths) {
    const started = performance.now();
    // Influence is of the model's own answers under all semantics: they are the supervision that works (MoA Table 2).
    const set = await calibrationSet(context, 'calibrate', { length, samples: calibration.samplesPerLength, answers: 'model' });
    const path = join(context.profileFolder, `influence-${length}-${contentHash({ set, epsilon })}.json`);
    const before = samplesIn(path);
    const profile = await profileInfluence(context.model, set, {
      sink: DEFAULT_SINK_TOKENS,
      epsilon,
      path,
      ...(context.signal === undefined ? {} : { signal: context.signal }),
      ...(context.onProgress === undefined ? {} : { onProgress: context.onProgress }),
    });
    uses.push({ profile, path, reused: before === profile.totalSamples, wallMs: performance.now() - started });
  }
  return uses;
}

/** The compress section; the suite schema requires it wherever a method profiles. */
export function compressSection({ suite }: CompressContext) {
  if (suite.compress === undefined) {
    throw new MoaError('Expected a compress section in the suite because a method profiles the model', { code: 'INVALID_ARGUMENT' });
  }
  return suite.compress;
}

function samplesIn(path: string): number {
  try {
    return loadProfile(path).samples;
  } catch {
    return 0;
  }
}

function storedSet(path: string): CalibrationSet | undefined {
  if (!existsSync(path)) return undefined;
  return readJsonAs(calibrationSetSchema, path, { what: 'a calibration set', hint: 'Delete the file; it is made again.' });
}
