import { MoaError } from '../core/errors.ts';
import { Rng } from '../core/rng.ts';
import type { Backend, Tensor } from '../native/backend.ts';
import { type CaseOutputs, type ConformanceCase, missingTraits, type OpName, type Tolerance } from './case.ts';
import { CONFORMANCE_CASES } from './cases/all-cases.ts';
import { bitDifference, difference } from './compare.ts';
import { Stage } from './stage.ts';

/** How one case went. */
export interface CaseReport {
  readonly op: OpName;
  readonly name: string;
  /** `op name`, which identifies the case and reproduces it. */
  readonly repro: string;
  readonly status: 'pass' | 'fail';
  /** Largest error over the outputs, relative to their scale (see `Tolerance`). */
  readonly maxError: number;
  readonly tolerance: Tolerance;
  /** Output and element of the largest error, or the error that was thrown. */
  readonly detail: string;
  readonly durationMs: number;
}

/** A case that was left out. */
interface SkippedCase {
  readonly op: OpName;
  readonly name: string;
  readonly repro: string;
  readonly reason: string;
}

export interface ConformanceReport {
  readonly backend: string;
  readonly reference: string;
  readonly passed: number;
  readonly failed: number;
  readonly cases: readonly CaseReport[];
  /** Cases that need what the backend does not have. */
  readonly skipped: readonly SkippedCase[];
}

export interface ConformanceOptions {
  readonly backend: Backend;
  readonly reference: Backend;
  /** Which cases run: all by default. */
  readonly filter?: (testCase: ConformanceCase) => boolean;
  /** Runs every case twice on the backend; a bit that differs between the two fails it. */
  readonly repeat?: boolean;
  /** Called after each case with its report and the counts so far. */
  readonly onCase?: (report: CaseReport, done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** A filter for a quick look: the first `count` cases of each op in the list. It counts, so that each run needs its own. */
export function firstOfEachOp(count: number): (testCase: ConformanceCase) => boolean {
  const seen = new Map<OpName, number>();
  return ({ op }) => {
    const before = seen.get(op) ?? 0;
    seen.set(op, before + 1);
    return before < count;
  };
}

/** Runs the conformance list on `backend` and compares each output with the `reference`'s. Throws only when aborted. */
export async function runConformance(options: ConformanceOptions): Promise<ConformanceReport> {
  const { backend, reference, filter = () => true, repeat = false } = options;
  const wanted = CONFORMANCE_CASES.filter(filter);
  const chosen = wanted.filter((testCase) => missingTraits(testCase, backend.traits).length === 0);
  const cases: CaseReport[] = [];
  for (const testCase of chosen) {
    if (options.signal?.aborted) throw new MoaError('Conformance run aborted', { code: 'ABORTED' });
    const report = await runCase(testCase, { backend, reference, repeat });
    cases.push(report);
    options.onCase?.(report, cases.length, chosen.length);
  }
  const failed = cases.filter((report) => report.status === 'fail').length;
  const skipped = wanted.flatMap((testCase) => skippedCase(testCase, backend));
  return { backend: backend.description, reference: reference.description, passed: cases.length - failed, failed, cases, skipped };
}

function skippedCase(testCase: ConformanceCase, backend: Backend): SkippedCase[] {
  const missing = missingTraits(testCase, backend.traits);
  if (missing.length === 0) return [];
  const { op, name } = testCase;
  return [
    { op, name, repro: reproOf(testCase), reason: `${backend.name} has no ${missing.map((trait) => NOUNS[trait]).join(' and no ')}` },
  ];
}

const NOUNS = { halfActivations: '16-bit activations', graphs: 'graphs' } as const;

/** The case's identity, as it appears in reports. */
export function reproOf(testCase: ConformanceCase): string {
  return `${testCase.op} ${testCase.name}`;
}

/** Runs one case on both backends. Never throws: what goes wrong is in the report. */
export async function runCase(
  testCase: ConformanceCase,
  on: { readonly backend: Backend; readonly reference: Backend; readonly repeat?: boolean },
): Promise<CaseReport> {
  const start = performance.now();
  const { op, name, tolerance } = testCase;
  const judged = await judge(testCase, on);
  const status = judged.error <= tolerance.relative ? 'pass' : 'fail';
  const repro = reproOf(testCase);
  return { op, name, repro, status, maxError: judged.error, tolerance, detail: judged.detail, durationMs: performance.now() - start };
}

interface Judgement {
  readonly error: number;
  readonly detail: string;
}

async function judge(
  testCase: ConformanceCase,
  { backend, reference, repeat = false }: { readonly backend: Backend; readonly reference: Backend; readonly repeat?: boolean },
): Promise<Judgement> {
  const expected = await outcome(testCase, reference);
  const actual = await outcome(testCase, backend);
  if (testCase.rejects !== undefined) return judgeRejection(testCase.rejects, { expected, actual });
  if (expected instanceof Error) return { error: Infinity, detail: `reference threw ${expected.message}` };
  if (actual instanceof Error) return { error: Infinity, detail: `threw ${actual.message}` };
  const outputs = Object.keys(expected);
  if (outputs.join() !== Object.keys(actual).join())
    return { error: Infinity, detail: `outputs ${Object.keys(actual)} instead of ${outputs}` };
  const changed = repeat ? await changedBits(testCase, backend, actual) : null;
  if (changed !== null) return { error: Infinity, detail: changed };
  let worst: Judgement = { error: 0, detail: 'equal' };
  for (const output of outputs) {
    const found = difference(actual[output] as HostArray, expected[output] as HostArray);
    if (found.error > worst.error) worst = { error: found.error, detail: `${output} ${found.worst}` };
  }
  return worst;
}

function judgeRejection(code: string, outcomes: { readonly expected: unknown; readonly actual: unknown }): Judgement {
  for (const [who, found] of [
    ['reference', outcomes.expected],
    ['backend', outcomes.actual],
  ] as const) {
    if (!(found instanceof Error)) return { error: Infinity, detail: `${who} accepted what should be ${code}` };
    if (!(found instanceof MoaError) || found.code !== code) return { error: Infinity, detail: `${who} threw ${found} instead of ${code}` };
  }
  return { error: 0, detail: `both threw ${code}` };
}

/** A sentence about the first bits that another run on the backend gives differently; null when all are the same. */
async function changedBits(testCase: ConformanceCase, backend: Backend, first: HostOutputs): Promise<string | null> {
  const second = await outcome(testCase, backend);
  if (second instanceof Error) return `threw when run again: ${second.message}`;
  for (const [output, values] of Object.entries(first)) {
    const found = bitDifference(values, second[output] as HostArray);
    if (found !== null) return `run again, ${output} ${found}`;
  }
  return null;
}

type HostArray = Float32Array | Float64Array | Int32Array;
type HostOutputs = Readonly<Record<string, HostArray>>;

/** The case's outputs on the host, or what it threw. */
async function outcome(testCase: ConformanceCase, backend: Backend): Promise<HostOutputs | Error> {
  const stage = new Stage(backend, new Rng(reproOf(testCase)));
  try {
    return await readAll(await testCase.run(stage));
  } catch (error) {
    await backend.synchronize().catch(() => undefined); // a late failure belongs to this case, not to the next
    return error instanceof Error ? error : new Error(String(error));
  } finally {
    stage.dispose();
  }
}

async function readAll(outputs: CaseOutputs): Promise<HostOutputs> {
  const read: Record<string, HostArray> = {};
  for (const [name, output] of Object.entries(outputs)) read[name] = ArrayBuffer.isView(output) ? output : await (output as Tensor).read();
  return read;
}
